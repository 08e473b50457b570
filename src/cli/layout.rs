//! How text fits a terminal: lines are broken at words and keep their column, tables keep their words whole, and where a
//! table does not fit, its rows become lists. Widths are those that a terminal shows, past our own colours.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter, WrapAlgorithm};

/// The narrowest terminal that lines are laid out for.
pub(super) const COLUMNS_MIN: usize = 20;

/// How far a line goes on below its own beginning.
const HANG: usize = 2;

/// Room for text beside an indentation, below which the indentation is given up.
const ROOM_MIN: usize = 16;

/// Blanks on both sides of a cell.
const PADDING: usize = 2;

/// A word in a cell that is longer is broken, if its column has no room for it.
const WORD_MAX: usize = 24;

/// `text` in lines of at most `columns`; whatever a line begins with (an indentation, the mark of a quotation or of a
/// fault's note) is kept in the lines that it becomes. Source that a fault shows is left as it is.
pub(super) fn folded(text: &str, columns: usize) -> String {
    let mut is_source = false;
    let lines = text.split('\n').map(|line| {
        let begin = line.trim_start_matches(' ');
        // From the place of a fault to its first note, columns are what the lines mean.
        is_source = begin.starts_with("--> ") || is_source && !begin.is_empty() && !begin.starts_with("= ");
        if is_source { line.to_owned() } else { broken(line, &later(line), columns) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `line` in lines of at most `columns`, of which the later ones begin at column `at`.
pub(super) fn hung(line: &str, at: usize, columns: usize) -> String {
    broken(line, &" ".repeat(at), columns)
}

/// Prose in lines of at most `columns`; each begins where its paragraph does. What stands between fences is left as it is.
pub(super) fn prose(text: &str, columns: usize) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut is_code = false;
    let lines = text.split('\n').map(|line| {
        is_code ^= line.starts_with("```");
        if is_code { line.to_owned() } else { hung(line, indent(line), columns) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// With what the later lines of `line` begin.
fn later(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    if text.starts_with("| ") {
        return format!("{:indent$}| ", "");
    }
    let note = ["= help: ", "= note: "].into_iter().find(|mark| text.starts_with(mark));
    " ".repeat(indent + note.map_or(HANG, str::len))
}

fn broken(line: &str, rest: &str, columns: usize) -> String {
    if display_width(line) <= columns {
        return line.to_owned();
    }
    let narrow = " ".repeat(HANG);
    let has_room = rest.len() + ROOM_MIN <= columns;
    let options = Options::new(columns)
        .subsequent_indent(if has_room { rest } else { &narrow })
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(line, options).join("\n")
}

/// A table; in so many `columns` if a terminal sets them. Words are kept whole as long as they fit, else each row is a list.
/// A column without any cell is left out.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>], columns: Option<usize>) -> String {
    let is_used =
        |nth: &usize| rows.is_empty() || rows.iter().any(|row| row.get(*nth).is_some_and(|cell| !cell.is_empty()));
    let used: Vec<usize> = (0..heading.len()).filter(is_used).collect();
    let pick = |row: &Vec<String>| used.iter().map(|nth| row.get(*nth).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(pick).collect();
    let (heading, rows): (Vec<&str>, &[_]) = (used.iter().map(|nth| heading[*nth]).collect(), &rows);
    let longest = |nth: usize| {
        let cells = rows.iter().filter_map(|row| row.get(nth)).map(String::as_str);
        let words = cells.chain([heading[nth]]).flat_map(str::split_whitespace).map(display_width);
        words.max().unwrap_or(0).min(WORD_MAX) + PADDING
    };
    let least: Vec<usize> = (0..heading.len()).map(longest).collect();
    if columns.is_some_and(|columns| least.iter().sum::<usize>() > columns) {
        return lists(&heading, rows);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heading.iter().map(|cell| cell.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    if let Some(columns) = columns {
        table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
        for (column, least) in table.column_iter_mut().zip(least) {
            let least = Width::Fixed(u16::try_from(least).unwrap_or(u16::MAX));
            column.set_constraint(ColumnConstraint::LowerBoundary(least));
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Each row as a list: its first cell is the title, and empty cells are left out.
fn lists(heading: &[&str], rows: &[Vec<String>]) -> String {
    let list = |row: &Vec<String>| {
        let cells = heading.iter().zip(row).enumerate().filter(|(_, (_, cell))| !cell.is_empty());
        let lines = cells.map(|(nth, (name, cell))| match nth {
            0 => format!("{name} {cell}"),
            _ => format!("  {name}: {cell}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(list).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_and_keep_their_column() {
        let check = |line: &str, columns, wanted: &str| {
            let found = folded(line, columns);
            assert_eq!(found, wanted);
            assert_eq!(folded(&found, columns), found, "it is at rest");
        };
        check("short", 20, "short");
        check("one two three four five", 20, "one two three four\n  five");
        check("  one two three four five", 20, "  one two three four\n    five");
        check("  | one two three four five", 20, "  | one two three\n  | four five");
        check("   = help: one two three four five", 30, "   = help: one two three four\n           five");
        check("one re-engagement two three", 24, "one re-engagement two\n  three");
        check("\x1b[1mone\x1b[0m two three four five", 20, "\x1b[1mone\x1b[0m two three four\n  five");
        check("one\n\ntwo", 20, "one\n\ntwo");
        check("      | one two three four", 24, "      | one two three\n      | four");
        let source = "  --> topologies/re-engagement.toml:12:1\n   |\n12 | start = \"writer\"\n   | ^^^^^^^^^^^^^^ it stands there";
        check(source, 20, source);
        check(&format!("{source}\n   = note: one two"), 20, &format!("{source}\n   = note: one two"));
        assert_eq!(folded(&"x".repeat(30), 20), format!("{}\n  {}", "x".repeat(18), "x".repeat(12)));
        assert_eq!(hung("10:00  one two three four five six", 7, 24), "10:00  one two three\n       four five six");
        assert_eq!(hung("a very long beginning of it", 18, 20), "a very long\n  beginning of it");
        assert_eq!(prose("one two three four five\n  six", 20), "one two three four\nfive\n  six");
        let code = "```\none two three four five\n```";
        assert_eq!(prose(code, 20), code);
    }

    #[test]
    fn a_table_keeps_its_words_or_becomes_lists() {
        let rows = vec![
            vec!["1".to_owned(), "re-engagement".to_owned(), "waits for ana".to_owned()],
            vec!["2".to_owned(), "other".to_owned(), String::new()],
        ];
        let heading = ["run", "topology", "status"];
        let wide = " RUN  TOPOLOGY       STATUS\n 1    re-engagement  waits for ana\n 2    other";
        assert_eq!(table(&heading, &rows, None), wide);
        assert_eq!(table(&heading, &rows, Some(80)), wide);
        let narrow =
            " RUN  TOPOLOGY       STATUS\n 1    re-engagement  waits\n                     for ana\n 2    other";
        assert_eq!(table(&heading, &rows, Some(30)), narrow);
        let lists = "run 1\n  topology: re-engagement\n  status: waits for ana\nrun 2\n  topology: other";
        assert_eq!(table(&heading, &rows, Some(20)), lists);
        assert_eq!(table(&heading, &rows[1..], None), " RUN  TOPOLOGY\n 2    other");
    }
}
