//! A PostgreSQL server of the tests: a cluster in a folder of its own, on a port of its own, as somebody who is not root. All
//! tests that need one at once share it; it ends with the last of them.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use callsheet::tool::open::Secrets;
use tokio_postgres::{Client, NoTls};

/// The password of every role, which no result, no reason and no description may hold.
pub(super) const PASSWORD: &str = "canary-9f31c6ab52";
/// What a file on the server holds that nobody may read.
pub(super) const CANARY: &str = "CANARY-IN-A-FILE-71c2";

pub(crate) struct Server {
    child: Child,
    pub(super) port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fast: it ends its connections, and the folder goes with it.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// The server, or none where PostgreSQL is not installed, which is told; a run of `./test.sh` fails then.
pub(crate) fn server() -> Option<Arc<Server>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return Some(server);
    }
    let bin = installed();
    if !crate::tools::is_there(&bin.join("initdb"), "a PostgreSQL server") {
        return None;
    }
    let server = Arc::new(started(&bin));
    *shared = Arc::downgrade(&server);
    Some(server)
}

/// Where its programs are: in the newest version of Debian's, or on the path.
fn installed() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = debian.map(|entry| entry.path()).max_by_key(version).map(|path| path.join("bin"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&paths).find(|path| path.join("initdb").exists());
    newest.or(on_path).unwrap_or_default()
}

/// Whom a server may run as: it refuses root.
fn as_somebody(command: &mut Command) -> Option<u32> {
    let is_root = rustix::process::geteuid().is_root();
    let id = Command::new("id").args(["-u", "postgres"]).output().ok();
    let id = id.and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse::<u32>().ok());
    let user = is_root.then(|| id.unwrap_or(65_534));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    user
}

fn started(bin: &Path) -> Server {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (data, password) = (dir.path().join("data"), dir.path().join("password"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&password, PASSWORD).unwrap();
    let canary = dir.path().join("canary.txt");
    std::fs::write(&canary, format!("{CANARY}\n")).unwrap();
    let mut initdb = Command::new(bin.join("initdb"));
    let user = as_somebody(&mut initdb);
    for path in [dir.path(), &data, &password, &canary] {
        std::os::unix::fs::chown(path, user, user).unwrap();
    }
    initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password).current_dir(dir.path());
    initdb.args(["-U", "owner", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"]);
    let made = initdb.stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new(bin.join("postgres"));
    as_somebody(&mut server);
    server.arg("-D").arg(&data).args([
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "log_statement=none",
    ]);
    server
        .arg("-c")
        .arg(format!("port={port}"))
        .arg("-c")
        .arg(format!("unix_socket_directories={}", dir.path().display()));
    let child = server.current_dir(dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Server { child: child.unwrap(), port, dir }
}

impl Server {
    /// The file that nobody may read.
    pub(super) fn canary(&self) -> PathBuf {
        self.dir.path().join("canary.txt")
    }

    /// A path at which nothing is and the server could write.
    pub(super) fn out(&self) -> PathBuf {
        self.dir.path().join("data/written.txt")
    }

    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgresql://{role}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// A superuser's connection.
    pub(super) async fn owner(&self, database: &str) -> Client {
        // It takes connections some time after it is started: there is no other sign of that.
        for _ in 0..2_000 {
            if let Ok((client, connection)) = tokio_postgres::connect(&self.url("owner", database), NoTls).await {
                tokio::spawn(async move { drop(connection.await) });
                return client;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the PostgreSQL server does not take connections");
    }

    /// A database of its own, with the roles there are.
    pub(crate) async fn database(&self, name: &str) -> Client {
        let owner = self.owner("postgres").await;
        {
            let roles = format!(
                "DO $do$ BEGIN
                   IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN
                     CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';
                     CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}';
                     CREATE ROLE filer LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_server_files;
                     CREATE ROLE boss LOGIN SUPERUSER PASSWORD '{PASSWORD}';
                   END IF;
                 EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL; END $do$"
            );
            owner.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
            owner.batch_execute(&roles).await.unwrap();
            owner.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
        }
        owner.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let client = self.owner(name).await;
        client.batch_execute(SHOP).await.unwrap();
        client
    }
}

/// What every database of the tests holds.
const SHOP: &str = "
CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL, spent numeric(12, 2), placed timestamptz, day date,
                     paid boolean, email text, weight double precision);
INSERT INTO orders
  SELECT n, (ARRAY['paid', 'open', 'returned'])[1 + n % 3], n * 1.5, '2026-07-01 10:00:00+02'::timestamptz + n * interval '1 hour',
         '2026-07-01'::date + n, n % 2 = 0, 'person' || n || '@example.com', n / 4.0
  FROM generate_series(1, 200) n;
CREATE TABLE n (a integer); INSERT INTO n SELECT generate_series(0, 199);
CREATE VIEW open_orders AS SELECT id, spent FROM orders WHERE status = 'open';
CREATE SEQUENCE numbers; CREATE SCHEMA inner_matters; CREATE TABLE inner_matters.wages (who text, pays integer);
INSERT INTO inner_matters.wages VALUES ('ana', 1);
CREATE FUNCTION act() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO n VALUES (-1); SELECT 1';
CREATE FUNCTION length_of(text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT lo_from_bytea(4711, 'large');
GRANT SELECT ON orders, n, open_orders TO reader;
GRANT ALL ON orders, n, open_orders TO writer; GRANT ALL ON SEQUENCE numbers TO writer; GRANT CREATE ON SCHEMA public TO writer;
GRANT ALL ON SCHEMA inner_matters TO writer; GRANT ALL ON inner_matters.wages TO writer; GRANT ALL ON LARGE OBJECT 4711 TO writer;
ANALYZE;
";

/// An environment with an address.
pub(super) fn secrets(url: &str) -> Secrets {
    let url = url.to_owned();
    Secrets::new(move |name| (name == "SHOP_URL").then(|| url.clone()))
}
