//! Parquet files as tables: columns of numbers, texts, days and times. What a file says of itself is believed as far as it is
//! within limits; what is nested, packed otherwise or broken is refused with a sentence.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan as _};
use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use rusqlite::types::Value as Cell;

use super::column::{Kind, Read};

/// Most bytes that it says it unpacks to.
const UNPACKED_BYTES_MAX: i64 = 1 << 30;
/// Most rows.
const ROWS_MAX: i64 = 5_000_000;
/// Most cells.
const CELLS_MAX: i64 = 50_000_000;
/// Most columns.
const COLUMNS_MAX: usize = 500;
/// Values that are read at once.
const BATCH: usize = 8_192;
/// Most digits of a fraction that a number holds exactly.
const DIGITS_MAX: i32 = 15;

/// The columns of a file; nothing if nobody waits any more.
///
/// # Errors
/// A clause, for people.
pub(super) fn read(bytes: Vec<u8>, stopped: &AtomicBool) -> Result<Option<Vec<Read>>, String> {
    // The library asserts what a broken file does not keep.
    let read = catch_unwind(AssertUnwindSafe(|| columns(Bytes::from(bytes), stopped)));
    read.unwrap_or_else(|_| Err("it is no sound Parquet file: what it says of itself does not fit together".to_owned()))
}

fn columns(bytes: Bytes, stopped: &AtomicBool) -> Result<Option<Vec<Read>>, String> {
    let broken = |why: ParquetError| format!("it is no sound Parquet file: {}", short(&why.to_string()));
    let file = SerializedFileReader::new(bytes).map_err(broken)?;
    let about = file.metadata();
    let schema = about.file_metadata().schema_descr_ptr();
    let (rows, columns) = (about.file_metadata().num_rows(), schema.num_columns());
    if columns > COLUMNS_MAX {
        return Err(format!("there are {columns} columns, at most {COLUMNS_MAX} are taken"));
    }
    let cells = rows.saturating_mul(i64::try_from(columns).unwrap_or(i64::MAX));
    if rows > ROWS_MAX || cells > CELLS_MAX {
        return Err(format!("there are {rows} rows, at most {ROWS_MAX} are taken, and {CELLS_MAX} cells"));
    }
    let unpacked = about.row_groups().iter().fold(0_i64, |sum, group| sum.saturating_add(group.total_byte_size()));
    if unpacked > UNPACKED_BYTES_MAX {
        return Err(format!("it unpacks to {unpacked} bytes, at most {UNPACKED_BYTES_MAX} are taken"));
    }
    let mut read: Vec<Read> = Vec::new();
    for (nth, column) in schema.columns().iter().enumerate() {
        let name = named(column, &read)?;
        let told = |why: String| format!("column {name:?}: {why}");
        let form = Form::of(column).map_err(told)?;
        let mut cells = Vec::new();
        for (group, about) in about.row_groups().iter().enumerate() {
            packed(about.column(nth).compression()).map_err(told)?;
            let reader = file.get_row_group(group).and_then(|group| group.get_column_reader(nth)).map_err(broken)?;
            let most = usize::try_from(about.num_rows()).unwrap_or_default();
            if !values(reader, form, column.max_def_level(), most, &mut cells, stopped).map_err(told)? {
                return Ok(None);
            }
        }
        read.push(Read { name, kind: form.kind(&cells), cells });
    }
    let is_whole = |column: &Read| i64::try_from(column.cells.len()).is_ok_and(|cells| cells == rows);
    match (read.is_empty() || rows == 0, read.iter().all(is_whole)) {
        (true, _) => Err("there is no row in it".to_owned()),
        (_, false) => Err(format!("it says that it has {rows} rows, and its columns have others")),
        (_, true) => Ok(Some(read)),
    }
}

fn short(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The name of a column that is one.
fn named(column: &ColumnDescriptor, before: &[Read]) -> Result<String, String> {
    let name = column.path().string();
    if column.path().parts().len() != 1 || column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Err(format!(
            "column {name:?} is nested: only columns of single values are read, so write them out flat"
        ));
    }
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(format!("column {} has no usable name", before.len() + 1));
    }
    if before.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
        return Err(format!("two columns are named {name:?}"));
    }
    Ok(name)
}

/// Whether it is packed in a way that can be read.
fn packed(by: Compression) -> Result<(), String> {
    if matches!(by, Compression::UNCOMPRESSED | Compression::SNAPPY) {
        return Ok(());
    }
    Err(format!(
        "it is packed with {by}: write the file with Snappy, or unpacked (in pandas, compression = \"snappy\")"
    ))
}

/// What the values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Boolean,
    Integer,
    /// Of which the engine's integers do not hold the largest.
    Unsigned,
    Real,
    /// A number with so many digits behind its point.
    Decimal {
        scale: i32,
        is_exact: bool,
    },
    Text,
    Date,
    Time(i64),
    /// So many in a second.
    Datetime(i64),
    Uuid,
}

/// In a second.
const MILLIS: i64 = 1_000;
const MICROS: i64 = 1_000_000;
const NANOS: i64 = 1_000_000_000;

impl Form {
    fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        use parquet::basic::Type;
        let in_second = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => MILLIS,
            TimeUnit::MICROS => MICROS,
            TimeUnit::NANOS => NANOS,
        };
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(time)) => return Ok(Self::Datetime(in_second(&time.unit))),
            Some(LogicalType::Time(time)) => return Ok(Self::Time(in_second(&time.unit))),
            Some(LogicalType::Uuid) => return Ok(Self::Uuid),
            _ => {}
        }
        let (scale, precision) = (column.type_scale(), column.type_precision());
        Ok(match (column.converted_type(), column.physical_type()) {
            (ConvertedType::DECIMAL, _) if scale < 0 || scale > precision => {
                return Err("it is a number of which its digits make no sense".to_owned());
            }
            (ConvertedType::DECIMAL, _) => Self::Decimal { scale, is_exact: precision <= DIGITS_MAX },
            (ConvertedType::DATE, Type::INT32) => Self::Date,
            (ConvertedType::TIME_MILLIS, _) => Self::Time(MILLIS),
            (ConvertedType::TIME_MICROS, _) => Self::Time(MICROS),
            (ConvertedType::TIMESTAMP_MILLIS, _) => Self::Datetime(MILLIS),
            (ConvertedType::TIMESTAMP_MICROS, _) => Self::Datetime(MICROS),
            (_, Type::INT96) => Self::Datetime(NANOS),
            (ConvertedType::UINT_32 | ConvertedType::UINT_64, _) => Self::Unsigned,
            (_, Type::BOOLEAN) => Self::Boolean,
            (_, Type::INT32 | Type::INT64) => Self::Integer,
            (_, Type::FLOAT | Type::DOUBLE) => Self::Real,
            (ConvertedType::INTERVAL | ConvertedType::BSON, _) | (_, Type::FIXED_LEN_BYTE_ARRAY) => {
                return Err("it is neither a number nor a text nor a time".to_owned());
            }
            (_, Type::BYTE_ARRAY) => Self::Text,
        })
    }

    fn kind(self, cells: &[Cell]) -> Kind {
        match self {
            Self::Boolean | Self::Integer | Self::Unsigned | Self::Decimal { scale: 0, is_exact: true } => {
                Kind::Integer
            }
            Self::Real | Self::Decimal { is_exact: true, .. } => Kind::Real,
            Self::Date => Kind::Date,
            Self::Datetime(_) => Kind::Datetime,
            Self::Time(_) | Self::Uuid | Self::Decimal { .. } => Kind::Text,
            Self::Text => {
                let text = |cell: &'_ Cell| match cell {
                    Cell::Text(text) => Some(text.clone()),
                    _ => None,
                };
                let texts: Vec<Option<String>> = cells.iter().map(text).collect();
                let shown: Vec<(usize, Option<&str>)> = texts.iter().map(|text| (0, text.as_deref())).collect();
                Kind::of_texts(&shown)
            }
        }
    }

    fn integer(self, value: i64, is_small: bool) -> Result<Cell, String> {
        Ok(match self {
            Self::Unsigned if is_small => Cell::Integer(value & i64::from(u32::MAX)),
            Self::Unsigned if value < 0 => return Err("it holds a whole number that is too large".to_owned()),
            Self::Decimal { .. } => self.decimal(i128::from(value)),
            Self::Date => {
                let day = jiff::civil::date(1970, 1, 1).checked_add(value.days());
                Cell::Text(day.map_err(|_| "it holds a day that is none".to_owned())?.to_string())
            }
            Self::Time(in_second) => {
                moment(value, in_second)?.map_or(Cell::Null, |at| Cell::Text(at.time().to_string()))
            }
            Self::Datetime(in_second) => moment(value, in_second)?.map_or(Cell::Null, |at| Cell::Text(at.to_string())),
            _ => Cell::Integer(value),
        })
    }

    fn decimal(self, unscaled: i128) -> Cell {
        let Self::Decimal { scale, is_exact } = self else { return Cell::Null };
        let digits = usize::try_from(scale).unwrap_or_default();
        let (sign, unsigned) = (if unscaled < 0 { "-" } else { "" }, unscaled.unsigned_abs().to_string());
        let padded = format!("{unsigned:0>width$}", width = digits + 1);
        let (whole, fraction) = padded.split_at(padded.len() - digits);
        let text = if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        match (is_exact, digits) {
            (false, _) => Cell::Text(text),
            (true, 0) => text.parse().map_or(Cell::Null, Cell::Integer),
            (true, _) => text.parse().map_or(Cell::Null, Cell::Real),
        }
    }

    fn bytes(self, bytes: &[u8]) -> Result<Cell, String> {
        match self {
            Self::Decimal { .. } => {
                if bytes.len() > 16 {
                    return Err("it holds a number of more digits than are taken".to_owned());
                }
                let fill = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xFF } else { 0 };
                let mut whole = [fill; 16];
                whole[16 - bytes.len()..].copy_from_slice(bytes);
                Ok(self.decimal(i128::from_be_bytes(whole)))
            }
            Self::Uuid => {
                let id = uuid::Uuid::from_slice(bytes).map_err(|_| "it holds an id that is none".to_owned())?;
                Ok(Cell::Text(id.to_string()))
            }
            _ => {
                let text = std::str::from_utf8(bytes).map_err(|_| "it holds bytes that are no text".to_owned())?;
                Ok(Cell::Text(text.to_owned()))
            }
        }
    }
}

/// A moment after the first of 1970, without a zone.
fn moment(value: i64, in_second: i64) -> Result<Option<DateTime>, String> {
    let (seconds, rest) = (value.div_euclid(in_second), value.rem_euclid(in_second));
    let nanos = i32::try_from(rest * (NANOS / in_second)).unwrap_or_default();
    let at = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(SignedDuration::new(seconds, nanos));
    at.map(Some).map_err(|_| "it holds a time that is none".to_owned())
}

/// Adds the cells of one column in one group of rows; false if nobody waits any more.
fn values(
    reader: ColumnReader,
    form: Form,
    levels: i16,
    most: usize,
    cells: &mut Vec<Cell>,
    stopped: &AtomicBool,
) -> Result<bool, String> {
    let mut taking = Taking { levels, left: most, cells, stopped };
    let real = |value: f64| Ok(if value.is_finite() { Cell::Real(value) } else { Cell::Null });
    match reader {
        ColumnReader::BoolColumnReader(reader) => taking.all(reader, |value| Ok(Cell::Integer(i64::from(*value)))),
        ColumnReader::Int32ColumnReader(reader) => taking.all(reader, |value| form.integer(i64::from(*value), true)),
        ColumnReader::Int64ColumnReader(reader) => taking.all(reader, |value| form.integer(*value, false)),
        ColumnReader::Int96ColumnReader(reader) => taking.all(reader, |value| form.integer(value.to_nanos(), false)),
        // The number that was meant: 0.1, and not what of it a shorter one holds.
        ColumnReader::FloatColumnReader(reader) => {
            taking.all(reader, |value| real(value.to_string().parse().unwrap_or(f64::NAN)))
        }
        ColumnReader::DoubleColumnReader(reader) => taking.all(reader, |value| real(*value)),
        ColumnReader::ByteArrayColumnReader(reader) => taking.all(reader, |value| form.bytes(value.data())),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => taking.all(reader, |value| form.bytes(value.data())),
    }
}

/// Cells as they are taken out of a column.
struct Taking<'t> {
    /// Whether a cell can be empty: one level more says that it is not.
    levels: i16,
    left: usize,
    cells: &'t mut Vec<Cell>,
    stopped: &'t AtomicBool,
}

impl Taking<'_> {
    fn all<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        cell: impl Fn(&T::T) -> Result<Cell, String>,
    ) -> Result<bool, String> {
        while self.left > 0 {
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let defined = (self.levels > 0).then_some(&mut levels);
            let (rows, _, _) = reader
                .read_records(BATCH.min(self.left), defined, None, &mut values)
                .map_err(|why| format!("its values cannot be read: {}", short(&why.to_string())))?;
            if rows == 0 {
                return Ok(true);
            }
            let mut values = values.iter();
            for nth in 0..rows {
                let is_there = self.levels == 0 || levels.get(nth).is_some_and(|level| *level == self.levels);
                let value = if is_there { values.next() } else { None };
                self.cells.push(value.map_or(Ok(Cell::Null), &cell)?);
            }
            self.left -= rows.min(self.left);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::Compression;

    use super::packed;

    #[test]
    fn a_way_to_pack_that_is_not_read_is_named() {
        assert!(packed(Compression::SNAPPY).is_ok() && packed(Compression::UNCOMPRESSED).is_ok());
        let why = packed(Compression::ZSTD(Default::default())).unwrap_err();
        assert!(why.contains("ZSTD") && why.contains("Snappy"), "{why}");
    }
}
