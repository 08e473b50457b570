//! What a text shows its readers, in every script: which of its characters are hidden, which are digits. Unicode's own
//! properties decide, and no table of ours; what a text says is left to others.

use icu_properties::props::{
    BidiClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic, GeneralCategory,
    GeneralCategoryGroup, IndicSyllabicCategory, JoiningType, LineBreak, PrependedConcatenationMark, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

const ZERO_WIDTH_SPACE: char = '\u{200B}';
const NON_JOINER: char = '\u{200C}';
const JOINER: char = '\u{200D}';
const VOWEL_SEPARATOR: char = '\u{180E}';
const KEYCAP: char = '\u{20E3}';
const BLACK_FLAG: char = '\u{1F3F4}';
const TAG_END: char = '\u{E007F}';
/// Shows nothing, though Unicode counts it as a symbol.
const BRAILLE_BLANK: char = '\u{2800}';

/// Most marks between a letter and a joiner that belongs to it.
const MARKS_MAX: usize = 8;
/// How far a mark of direction looks for a letter that is written from right to left.
const DIRECTION_REACH: usize = 64;
/// Most letters of the region that a flag is of.
const REGION_MAX: usize = 6;

/// Each character of `text`, and whether it is hidden: it shows nothing, or changes the order of what shows, and the
/// script around it does not need it there. A joiner belongs in an emoji and in a Persian or Hindi word, and nowhere
/// between Latin letters; a second one in a row belongs nowhere. Line breaks and tabs are not hidden, other control
/// characters are.
pub fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).map(move |at| (chars[at], is_unseen(chars[at]) && !belongs(&chars, at)))
}

/// The first hidden character of `text`.
pub fn first_hidden(text: &str) -> Option<char> {
    characters(text).find_map(|(c, hidden)| hidden.then_some(c))
}

/// Whether `c` shows nothing by itself, wherever it stands.
pub fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    }
    match category(c) {
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => true,
        // Marks that are written around the digits after them are seen, and the signs of hieroglyphs stack what is seen.
        GeneralCategory::Format => {
            CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
                || !(CodePointSetData::new::<PrependedConcatenationMark>().contains(c)
                    || script(c) == Script::EgyptianHieroglyphs)
        }
        _ => c == BRAILLE_BLANK || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c),
    }
}

/// The value of a decimal digit in any script.
pub fn digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    // Unicode promises that decimal digits stand in tens, each from zero to nine.
    let is_digit = |c: char| category(c) == GeneralCategory::DecimalNumber;
    let before = |back: u32| u32::from(c).checked_sub(back).and_then(char::from_u32);
    let run = (1..).map_while(before).take_while(|c| is_digit(*c)).count();
    is_digit(c).then(|| u32::try_from(run % 10).unwrap_or(0))
}

/// Whether `c`, which by itself shows nothing, does what its script needs it for.
fn belongs(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|place| chars[place]);
    let after = chars.get(at + 1).copied();
    let alone = ![before, after].into_iter().flatten().any(is_unseen);
    let near = |fits: fn(char) -> bool| [before, after].into_iter().flatten().any(fits);
    match chars[at] {
        JOINER if joins_emoji(chars, at) => true,
        JOINER | NON_JOINER | VOWEL_SEPARATOR => {
            alone && (letter_before(chars, at).is_some_and(is_joined) || after.is_some_and(is_joined))
        }
        // Scripts without spaces between words: Khmer, Thai, Lao, Burmese.
        ZERO_WIDTH_SPACE => alone && near(|c| line_break(c) == LineBreak::ComplexContext),
        '\u{200E}' | '\u{200F}' | '\u{061C}' => alone && is_in_right_to_left(chars, at),
        '\u{FE0E}' | '\u{FE0F}' => before.is_some_and(|c| {
            let keycap = c.is_ascii();
            CodePointSetData::new::<Emoji>().contains(c) && (!keycap || after == Some(KEYCAP))
        }),
        // Variants of an ideograph, or of a letter in a script without capitals.
        '\u{FE00}'..='\u{FE0D}' | '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{E0100}'..='\u{E01EF}' => {
            before.is_some_and(|c| category(c) == GeneralCategory::OtherLetter)
        }
        '\u{E0030}'..='\u{E007F}' => is_in_flag(chars, at),
        BRAILLE_BLANK => near(|c| c != BRAILLE_BLANK && script(c) == Script::Braille),
        _ => false,
    }
}

/// A joiner between two pictures, the first perhaps with a skin tone or its variant.
fn joins_emoji(chars: &[char], at: usize) -> bool {
    let pictures = CodePointSetData::new::<ExtendedPictographic>();
    let toned = |c: &&char| **c == '\u{FE0F}' || CodePointSetData::new::<EmojiModifier>().contains(**c);
    let before = chars[..at].iter().rev().take(3).find(|c| !toned(c));
    before.is_some_and(|c| pictures.contains(*c)) && chars.get(at + 1).is_some_and(|c| pictures.contains(*c))
}

/// The flag of a region: a black flag, the region's letters as tags, and the tag that ends them.
fn is_in_flag(chars: &[char], at: usize) -> bool {
    let is_letter = |c: &char| matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
    let start = chars[..at].iter().rev().take(REGION_MAX).take_while(|c| is_letter(c)).count();
    let Some(flag) = (at - start).checked_sub(1).filter(|flag| chars[*flag] == BLACK_FLAG) else { return false };
    let letters = chars[flag + 1..].iter().take_while(|c| is_letter(c)).count();
    (3..=REGION_MAX).contains(&letters) && chars.get(flag + 1 + letters) == Some(&TAG_END)
}

/// The letter before `at`, past the marks on it.
fn letter_before(chars: &[char], at: usize) -> Option<char> {
    let is_mark = |c: &char| GeneralCategoryGroup::Mark.contains(category(*c));
    chars[..at].iter().rev().take(MARKS_MAX).copied().find(|c| !is_mark(c))
}

/// Whether a script joins its letters, so that a joiner changes how they look: Arabic and its kin, and those of India.
fn is_joined(c: char) -> bool {
    let group = category(c);
    let letter = GeneralCategoryGroup::Letter.contains(group) || GeneralCategoryGroup::Mark.contains(group);
    let cursive = !matches!(
        CodePointMapData::<JoiningType>::new().get(c),
        JoiningType::NonJoining | JoiningType::Transparent | JoiningType::JoinCausing
    );
    letter && (cursive || CodePointMapData::<IndicSyllabicCategory>::new().get(c) != IndicSyllabicCategory::Other)
}

/// Whether letters that are written from right to left stand on the same line.
fn is_in_right_to_left(chars: &[char], at: usize) -> bool {
    let directions = CodePointMapData::<BidiClass>::new();
    // The marks of direction have a direction themselves.
    let backward =
        |c: &char| c.is_alphabetic() && matches!(directions.get(*c), BidiClass::RightToLeft | BidiClass::ArabicLetter);
    let on_line = |c: &&char| **c != '\n';
    let before = chars[..at].iter().rev().take(DIRECTION_REACH).take_while(on_line).any(backward);
    before || chars[at + 1..].iter().take(DIRECTION_REACH).take_while(on_line).any(backward)
}

/// What Unicode says that `c` is.
pub fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// The script that `c` belongs to.
pub fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn line_break(c: char) -> LineBreak {
    CodePointMapData::<LineBreak>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_hidden_where_its_script_does_not_need_it() {
        let cases = [
            ("a plain line\nand a\ttab\r\n", ""),
            // Emoji: a farmer, a family with skin tones, a heart on fire, a keycap, a flag of Scotland.
            ("\u{1F469}\u{200D}\u{1F33E}", ""),
            ("\u{1F469}\u{1F3FD}\u{200D}\u{1F91D}\u{200D}\u{1F468}\u{1F3FB}", ""),
            ("\u{2764}\u{FE0F}\u{200D}\u{1F525} 1\u{FE0F}\u{20E3} \u{A9}\u{FE0F}", ""),
            ("\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}", ""),
            // Persian, also after a Latin word and with a vowel sign; Hindi, Bengali, Malayalam, Sinhala, Khmer, Japanese.
            (
                "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645} PDF\u{200C}\u{647}\u{627} \u{647}\u{64F}\u{200D}",
                "",
            ),
            (
                "\u{915}\u{94D}\u{200D}\u{937} \u{9B0}\u{200D}\u{9CD}\u{9AF} \u{D28}\u{D4D}\u{200D} \u{DC1}\u{DCA}\u{200D}\u{DBB}",
                "",
            ),
            ("\u{1780}\u{17B6}\u{200B}\u{1781} \u{845B}\u{E0100}", ""),
            // Hebrew and Arabic with marks of direction; a number sign that is written around its digits.
            ("\u{5E9}\u{5DC}\u{5D5}\u{5DD} 15%\u{200F}, C++\u{200E}", ""),
            ("\u{602}15 \u{2801}\u{2800}\u{2801}", ""),
            // Hidden: between Latin letters, in a row, at an edge, in numbers.
            ("o\u{200B}ff o\u{200C}ff o\u{200D}ff", "\u{200B}\u{200C}\u{200D}"),
            ("\u{645}\u{200C}\u{200C}\u{645}", "\u{200C}\u{200C}"),
            (" \u{200D} 1\u{200D}5", "\u{200D}\u{200D}"),
            ("15\u{200F}% \u{202E}evil\u{202C} \u{2066}a\u{2069}", "\u{200F}\u{202E}\u{202C}\u{2066}\u{2069}"),
            ("\u{5E9}\u{202E}\u{5DC}", "\u{202E}"),
            // Bytes that were put into variants and tags.
            ("\u{1F60A}\u{FE00}\u{E0101} a\u{FE0F} 1\u{FE0F} \u{E0101}", "\u{FE00}\u{E0101}\u{FE0F}\u{FE0F}\u{E0101}"),
            ("\u{845B}\u{E0100}\u{E0101}", "\u{E0101}"),
            ("a\u{E0061}\u{1F3F4}\u{E0061}\u{E007F}", "\u{E0061}\u{E0061}\u{E007F}"),
            (
                "\u{1F3F4}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E007F}",
                "\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E007F}",
            ),
            // Others that show nothing.
            (
                "a\u{AD}b\u{34F}\u{FEFF}\u{2060}\u{3164}\u{FFA0}\u{115F}",
                "\u{AD}\u{34F}\u{FEFF}\u{2060}\u{3164}\u{FFA0}\u{115F}",
            ),
            ("\0\x1b\u{9b}\u{2028}\u{2029}\u{FFF9} \u{2800}", "\0\x1b\u{9b}\u{2028}\u{2029}\u{FFF9}\u{2800}"),
        ];
        for (text, hidden) in cases {
            let found: String = characters(text).filter_map(|(c, hidden)| hidden.then_some(c)).collect();
            assert_eq!(found, hidden, "in {text:?}");
            assert_eq!(first_hidden(text), hidden.chars().next());
        }
    }

    #[test]
    fn a_digit_has_its_value_in_every_script() {
        let cases = [
            "0123456789",
            "\u{660}\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}\u{669}",
            "\u{6F0}\u{6F1}\u{6F2}\u{6F3}\u{6F4}\u{6F5}\u{6F6}\u{6F7}\u{6F8}\u{6F9}",
            "\u{966}\u{967}\u{968}\u{969}\u{96A}\u{96B}\u{96C}\u{96D}\u{96E}\u{96F}",
            "\u{FF10}\u{FF11}\u{FF12}\u{FF13}\u{FF14}\u{FF15}\u{FF16}\u{FF17}\u{FF18}\u{FF19}",
            "\u{1D7E2}\u{1D7E3}\u{1D7E4}\u{1D7E5}\u{1D7E6}\u{1D7E7}\u{1D7E8}\u{1D7E9}\u{1D7EA}\u{1D7EB}",
        ];
        for digits in cases {
            let values: Option<Vec<_>> = digits.chars().map(digit).collect();
            assert_eq!(values, Some((0..10).collect()), "{digits}");
        }
        assert!("a\u{BD}\u{B2}\u{2460}\u{4E09}\u{2167}".chars().all(|c| digit(c).is_none()));
    }
}
