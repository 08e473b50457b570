//! Parquet files as tables: what each type becomes, what is refused, and what `data inspect` says of one.

use std::path::Path;
use std::sync::Arc;

use callsheet::failure::Class;
use callsheet::tool::Tool;
use callsheet::tool::sql::Config;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use crate::cli::Project;
use crate::tools::{call, config, open, write};

/// The values of a column, and which of three rows have one.
enum Values {
    Bool(Vec<bool>),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Old(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<&'static [u8]>),
    Fixed(Vec<&'static [u8]>),
}

/// A file of these columns, whose schema is `message`; `levels` says of optional ones which rows have a value.
fn file(message: &str, columns: &[Values], levels: Option<&[i16]>, packed: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(packed).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    // Of a column that is repeated, each value begins a row.
    let firsts = vec![0; levels.map_or(0, <[i16]>::len)];
    let again = message.contains("repeated").then_some(firsts.as_slice());
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let array = |bytes: &&[u8]| ByteArray::from(bytes.to_vec());
        let wrote = match (column.untyped(), values) {
            (ColumnWriter::BoolColumnWriter(writer), Values::Bool(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::Int64ColumnWriter(writer), Values::Long(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::Int96ColumnWriter(writer), Values::Old(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::FloatColumnWriter(writer), Values::Float(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::DoubleColumnWriter(writer), Values::Double(all)) => writer.write_batch(all, levels, again),
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(all)) => {
                writer.write_batch(&all.iter().map(array).collect::<Vec<_>>(), levels, again)
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Fixed(all)) => {
                let all: Vec<FixedLenByteArray> = all.iter().map(|bytes| array(bytes).into()).collect();
                writer.write_batch(&all, levels, again)
            }
            _ => panic!("the column is of another type"),
        };
        wrote.unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

/// Two orders.
fn orders(packed: Compression) -> Vec<u8> {
    let message = "message m { required int64 pieces; required binary item (UTF8); }";
    let columns = [Values::Long(vec![3, 4]), Values::Bytes(vec![b"roses", "tulpen f\u{fc}r 2".as_bytes()])];
    file(message, &columns, None, packed)
}

fn query(root: &Path) -> Tool {
    let config: Config = config("parquet = { t = \"t.parquet\" }\nfree_sql = true").unwrap();
    open("data", config, root).unwrap().remove(0)
}

/// What SQL gives over a file `t.parquet` of these bytes.
async fn asked(bytes: &[u8], sql: &str) -> Result<Value, callsheet::failure::Failure> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.parquet", bytes);
    call(&query(dir.path()), json!({ "sql": sql })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_type_becomes_what_a_query_can_compute_with() {
    let cases: Vec<(&str, Values, Value)> = vec![
        ("boolean x", Values::Bool(vec![true, false]), json!([1, 0])),
        ("int32 x", Values::Int(vec![-3, 4]), json!([-3, 4])),
        ("int64 x", Values::Long(vec![i64::MAX, 4]), json!([i64::MAX, 4])),
        ("int32 x (INTEGER(32, false))", Values::Int(vec![-1, 4]), json!([u32::MAX, 4])),
        ("int32 x (INTEGER(8, true))", Values::Int(vec![-1, 4]), json!([-1, 4])),
        ("float x", Values::Float(vec![0.1, f32::NAN]), json!([0.1, null])),
        ("double x", Values::Double(vec![0.25, f64::INFINITY]), json!([0.25, null])),
        ("int32 x (DECIMAL(9, 2))", Values::Int(vec![-1205, 7]), json!([-12.05, 0.07])),
        ("int64 x (DECIMAL(12, 0))", Values::Long(vec![12, 7]), json!([12, 7])),
        (
            "fixed_len_byte_array(9) x (DECIMAL(20, 3))",
            Values::Fixed(vec![&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE], &[1, 0, 0, 0, 0, 0, 0, 0, 0]]),
            json!(["-0.002", "18446744073709551.616"]),
        ),
        ("int32 x (DATE)", Values::Int(vec![20_635, -1]), json!(["2026-07-01", "1969-12-31"])),
        (
            "int64 x (TIMESTAMP(MILLIS, true))",
            Values::Long(vec![1_782_864_000_500, -1]),
            json!(["2026-07-01T00:00:00.5", "1969-12-31T23:59:59.999"]),
        ),
        (
            "int64 x (TIMESTAMP(NANOS, false))",
            Values::Long(vec![1_782_864_000_000_000_000, 1]),
            json!(["2026-07-01T00:00:00", "1970-01-01T00:00:00.000000001"]),
        ),
        (
            "int64 x (TIMESTAMP_MICROS)",
            Values::Long(vec![1_000_000, 0]),
            json!(["1970-01-01T00:00:01", "1970-01-01T00:00:00"]),
        ),
        ("int32 x (TIME(MILLIS, true))", Values::Int(vec![3_600_000, 0]), json!(["01:00:00", "00:00:00"])),
        (
            "int96 x",
            Values::Old(vec![old(2_440_589), old(2_440_588)]),
            json!(["1970-01-02T00:00:00", "1970-01-01T00:00:00"]),
        ),
        ("binary x (UTF8)", Values::Bytes(vec!["Gr\u{fc}\u{df}e".as_bytes(), b""]), json!(["Gr\u{fc}\u{df}e", ""])),
        ("binary x", Values::Bytes(vec![b"old", b"text"]), json!(["old", "text"])),
        ("binary x (ENUM)", Values::Bytes(vec![b"a", b"b"]), json!(["a", "b"])),
        (
            "fixed_len_byte_array(16) x (UUID)",
            Values::Fixed(vec![&[0; 16], &[1; 16]]),
            json!(["00000000-0000-0000-0000-000000000000", "01010101-0101-0101-0101-010101010101"]),
        ),
    ];
    for (declared, values, wanted) in cases {
        let wanted = wanted.as_array().unwrap();
        // As it is, and with a row between the two that has no value.
        for (word, levels) in [("required", None), ("optional", Some(&[1, 0, 1][..]))] {
            let message = format!("message m {{ {word} {declared}; }}");
            let bytes = file(&message, std::slice::from_ref(&values), levels, Compression::SNAPPY);
            let came =
                asked(&bytes, "SELECT x FROM t").await.unwrap_or_else(|why| panic!("{declared}: {}", why.reason));
            let rows: Vec<&Value> = came["rows"].as_array().unwrap().iter().map(|row| &row["x"]).collect();
            let null = Value::Null;
            let there: Vec<&Value> = match levels {
                None => wanted.iter().collect(),
                Some(_) => vec![&wanted[0], &null, &wanted[1]],
            };
            assert_eq!(rows, there, "{word} {declared}");
        }
    }
}

/// Midnight of a Julian day.
fn old(day: u32) -> Int96 {
    let mut value = Int96::new();
    value.set_data(0, 0, day);
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_compared_and_tables_joined_as_those_of_csv_files() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.parquet", orders(Compression::UNCOMPRESSED));
    write(dir.path(), "prices.csv", "item,price\nroses,2.5\n");
    let table = "parquet = { t = \"t.parquet\" }\ncsv = { prices = \"prices.csv\" }\nfree_sql = true";
    let tool = open("data", config::<Config>(table).unwrap(), dir.path()).unwrap().remove(0);
    let sql = "SELECT sum(pieces * price) AS paid FROM t JOIN prices USING (item)";
    assert_eq!(call(&tool, json!({ "sql": sql })).await.unwrap()["rows"][0]["paid"], 7.5);
    // A file that has changed is read again.
    let other = file(
        "message m { required int64 pieces; required binary item (UTF8); }",
        &[Values::Long(vec![8]), Values::Bytes(vec![b"roses"])],
        None,
        Compression::SNAPPY,
    );
    write(dir.path(), "t.parquet", other);
    assert_eq!(call(&tool, json!({ "sql": sql })).await.unwrap()["rows"][0]["paid"], 20.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_held_against_days_and_not_put_in_order_by_their_letters() {
    let days = file("message m { required int32 x (DATE); }", &[Values::Int(vec![20_635])], None, Compression::SNAPPY);
    assert_eq!(asked(&days, "SELECT x FROM t WHERE x >= '2026-07-01'").await.unwrap()["row_count"], 1);
    let why = asked(&days, "SELECT x FROM t WHERE x >= '01.06.2026'").await.unwrap_err().reason;
    assert!(why.contains("t.x, whose dates are as") && why.contains("write '2026-06-01'"), "{why}");
    let texts = Values::Bytes(vec![b"14.08.2026", b"02.03.2026"]);
    let texts = file("message m { required binary x (UTF8); }", &[texts], None, Compression::SNAPPY);
    let why = asked(&texts, "SELECT max(x) AS last FROM t").await.unwrap_err().reason;
    assert!(why.contains("such dates do not sort") && why.contains("put the year first"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_with_a_sentence() {
    let whole = orders(Compression::SNAPPY);
    let nested = file(
        "message m { required group g { required int32 x; } }",
        &[Values::Int(vec![1])],
        None,
        Compression::SNAPPY,
    );
    let repeated =
        file("message m { repeated int32 x; }", &[Values::Int(vec![1, 2])], Some(&[1, 1]), Compression::SNAPPY);
    let odd = file(
        "message m { required fixed_len_byte_array(2) x; }",
        &[Values::Fixed(vec![b"ab"])],
        None,
        Compression::SNAPPY,
    );
    let twice = file(
        "message m { required int32 x; required int32 X; }",
        &[Values::Int(vec![1]), Values::Int(vec![1])],
        None,
        Compression::SNAPPY,
    );
    let blob = file("message m { required binary x; }", &[Values::Bytes(vec![b"\xff\xfe"])], None, Compression::SNAPPY);
    let huge = file(
        "message m { required int64 x (INTEGER(64, false)); }",
        &[Values::Long(vec![-1])],
        None,
        Compression::SNAPPY,
    );
    let empty = file("message m { required int32 x; }", &[Values::Int(vec![])], None, Compression::SNAPPY);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no file of its kind", b"item,pieces\nroses,3\n".to_vec(), "it is no sound Parquet file"),
        ("nothing", Vec::new(), "it is no sound Parquet file"),
        ("cut at its end", whole[..whole.len() - 9].to_vec(), "it is no sound Parquet file"),
        ("cut at its beginning", whole[40..].to_vec(), ""),
        ("nested", nested, "column \"g.x\" is nested"),
        ("repeated", repeated, "column \"x\" is nested"),
        ("two bytes", odd, "neither a number nor a text nor a time"),
        ("two names", twice, "two columns are named \"X\""),
        ("bytes", blob, "column \"x\": it holds bytes that are no text"),
        ("a number beyond the engine's", huge, "column \"x\": it holds a whole number that is too large"),
        ("no row", empty, "there is no row in it"),
    ];
    for (name, bytes, words) in cases {
        let failure = asked(&bytes, "SELECT count(*) FROM t").await.expect_err(name);
        assert_eq!(failure.class, Class::Permanent, "{name}: {}", failure.reason);
        let says = failure.reason.starts_with("t.parquet: ") && failure.reason.contains(words);
        assert!(says && failure.reason.len() < 400, "{name}: {}", failure.reason);
    }
    // Whatever is turned round in what is packed: numbers and texts, or a sentence.
    let sound = whole.len() - 8;
    for at in (4..sound).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x01;
        if let Err(failure) = asked(&bytes, "SELECT sum(pieces), max(item) FROM t").await {
            // What was turned round can be the name of a column.
            let is_told = [Class::Permanent, Class::Invalid].contains(&failure.class);
            assert!(is_told, "{at}: {}", failure.reason);
        }
    }
}

#[test]
fn inspect_shows_a_file_and_prints_its_table() {
    let project = Project::empty();
    std::fs::create_dir_all(project.path("data")).unwrap();
    std::fs::write(project.path("data/orders.parquet"), orders(Compression::SNAPPY)).unwrap();
    std::fs::write(project.path("callsheet.toml"), "schema_version = 1\n").unwrap();
    let (code, text) = project.types("data inspect data/orders.parquet");
    assert_eq!(code, 0, "{text}");
    for line in ["parquet = { orders = \"data/orders.parquet\" }", "pieces integer", "item text", "roses", "2 rows"] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let table = "[tools.orders]\nkind = \"sql\"\nfree_sql = true\nparquet = { orders = \"data/orders.parquet\" }\n";
    std::fs::write(project.path("callsheet.toml"), format!("schema_version = 1\n{table}")).unwrap();
    let (code, text) = project.types("data inspect data/orders.parquet");
    assert!(code == 0 && text.contains("reads this file already, and says all of this"), "{text}");
    let (code, text) = project.types("tools orders");
    assert!(code == 0 && text.contains("orders(pieces integer, item text), 2 rows"), "{text}");
    for (wrong, words) in [
        ("parquet = { orders = \"data/none.parquet\" }", "there is no file data/none.parquet"),
        ("parquet = { orders = \"callsheet.toml\" }", "it is no sound Parquet file"),
        ("parquet = { \"a b\" = \"data/orders.parquet\" }", "is no table name"),
    ] {
        let table = format!("schema_version = 1\n[tools.orders]\nkind = \"sql\"\nfree_sql = true\n{wrong}\n");
        std::fs::write(project.path("callsheet.toml"), table).unwrap();
        let (code, text) = project.types("check");
        assert!(code == 2 && text.contains(words) && text.contains("callsheet.toml:5"), "{wrong}: {code}\n{text}");
    }
}
