//! What the role that we are may do: one that could read files or run programs on the server is not used at all, and what one
//! could write is told.

use tokio_postgres::{Client, Error};

use crate::failure::{Class, Failure};

/// Tables that are named of those that the role could change.
const NAMED_MAX: i64 = 3;

/// What the server says of the role. Everything is asked of whoever the role is and can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) database: String,
    pub(super) version: String,
    pub(super) version_num: i32,
    /// Why it is not used: what it is, or is a member of.
    above: Vec<String>,
    /// What it could change, if nobody kept it from that.
    pub(super) could: Vec<String>,
}

const ABOVE: &str = "
SELECT r.rolname::text FROM pg_catalog.pg_roles r
WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
ORDER BY r.rolname = session_user DESC, r.rolsuper DESC, 1 LIMIT 5";

const COULD: &str = "
SELECT 'create schemas in the database' WHERE pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
UNION ALL
(SELECT 'create tables in the schema ' || n.nspname FROM pg_catalog.pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
 ORDER BY n.nspname LIMIT $1)
UNION ALL
(SELECT 'change the table ' || n.nspname || '.' || c.relname
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
 ORDER BY n.nspname, c.relname LIMIT $1)";

impl Role {
    /// Asks who we are.
    pub(super) async fn of(client: &Client) -> Result<Self, Error> {
        let who = "SELECT session_user::text, pg_catalog.current_database()::text, \
                   pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::int";
        let row = client.query_one(who, &[]).await?;
        let above = client.query(ABOVE, &[]).await?;
        let could = client.query(COULD, &[&NAMED_MAX]).await?;
        Ok(Self {
            name: row.try_get(0)?,
            database: row.try_get(1)?,
            version: row.try_get(2)?,
            version_num: row.try_get(3)?,
            above: above.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
            could: could.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
        })
    }

    /// Refuses to work as a role that no transaction holds.
    ///
    /// # Errors
    /// [`Class::Policy`], with the SQL that makes a role that can be used.
    pub(super) fn allowed(&self, schemas: &[String]) -> Result<(), Failure> {
        let Some(first) = self.above.first() else { return Ok(()) };
        let is = if *first == self.name { "is a superuser".to_owned() } else { format!("is a member of {first}") };
        let why = format!(
            "the role {} {is}, which can read files and run programs on the server, so nothing is asked as it. Make a role that \
             only reads, and write it into the address: {}",
            self.name,
            self.reader(schemas)
        );
        Err(Failure::new(Class::Policy, why))
    }

    /// The SQL that makes a role that reads and can do nothing else.
    pub(super) fn reader(&self, schemas: &[String]) -> String {
        let mut sql = format!(
            "CREATE ROLE callsheet_reader LOGIN PASSWORD '...'; GRANT CONNECT ON DATABASE {} TO callsheet_reader;",
            identifier(&self.database)
        );
        for schema in schemas.iter().map(|schema| identifier(schema)) {
            sql.push_str(&format!(
                " GRANT USAGE ON SCHEMA {schema} TO callsheet_reader; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO callsheet_reader;"
            ));
        }
        sql
    }
}

/// A name as SQL reads it exactly.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
