//! Markdown as its readers see it. A kept library reads it; of what it finds, only what is harmless becomes HTML: HTML in the
//! text stays text, a link leads to an address that it may lead to, and no picture is fetched from anywhere.

use pulldown_cmark::{
    Alignment, CodeBlockKind, CowStr, Event as Part, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html,
};

use crate::text;

/// Beginnings of addresses that a link may lead to.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// What becomes of links, headings and hidden characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Part of a page of its own: links lead where they say.
    Page,
    /// Part of another page, which shows what this one would be: no link leads anywhere, and the address of each is shown. What would
    /// show nothing is shown by its number, and headings are those of a part.
    Preview,
}

/// The text as HTML.
pub fn html(source: &str, form: Form) -> String {
    let mut tamer = Tamer { form, open: Vec::new() };
    let events = parser(source).flat_map(|event| tamer.tamed(event));
    let mut written = String::with_capacity(source.len() * 2);
    html::push_html(&mut written, events);
    written
}

/// The words of the first heading, if there is one.
pub fn heading(source: &str) -> Option<String> {
    let mut words = String::new();
    let within = parser(source).skip_while(|event| !matches!(event, Part::Start(Tag::Heading { .. })));
    for event in within.take_while(|event| !matches!(event, Part::End(TagEnd::Heading(_)))) {
        match event {
            Part::Text(part) | Part::Code(part) => words.push_str(&part),
            Part::SoftBreak | Part::HardBreak => words.push(' '),
            _ => {}
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// Whether there is more to the text than its words and paragraphs.
pub fn is_marked_up(source: &str) -> bool {
    let is_plain = |event: Part<'_>| {
        matches!(event, Part::Start(Tag::Paragraph) | Part::End(TagEnd::Paragraph) | Part::Text(_) | Part::SoftBreak)
    };
    !parser(source).all(is_plain)
}

/// The first thing in the text that a page of its own cannot have, in words.
pub fn unfit(source: &str) -> Option<String> {
    parser(source).find_map(|event| match event {
        Part::Start(Tag::Link { dest_url, link_type, .. }) if !may_lead_to(&address(link_type, &dest_url)) => {
            Some(format!("has a link to {:?}: write an address with https://, http:// or mailto:", &*dest_url))
        }
        Part::Start(Tag::Image { dest_url, .. }) => {
            Some(format!("has a picture, {:?}, which a page would fetch from elsewhere: leave it out", &*dest_url))
        }
        _ => None,
    })
}

/// What is read beside CommonMark: tables, and words that are struck out.
fn parser(source: &str) -> Parser<'_> {
    Parser::new_ext(source, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// Goes through the text with what is open around each place.
struct Tamer {
    form: Form,
    /// The links and pictures around it: what is written where each ends.
    open: Vec<Close>,
}

/// How a link or a picture ends.
enum Close {
    /// As a link does.
    Link,
    /// With its address.
    Address(String),
    /// With nothing.
    Nothing,
}

impl Tamer {
    fn tamed<'s>(&mut self, event: Part<'s>) -> Vec<Part<'s>> {
        match event {
            Part::Html(words) | Part::InlineHtml(words) | Part::Text(words) => vec![Part::Text(self.seen(words))],
            Part::Code(words) => vec![Part::Code(self.seen(words))],
            Part::Start(tag) => self.begun(tag),
            Part::End(TagEnd::HtmlBlock) => vec![Part::End(TagEnd::Paragraph)],
            Part::End(TagEnd::Heading(level)) => vec![Part::End(TagEnd::Heading(self.level(level)))],
            Part::End(TagEnd::Link | TagEnd::Image) => match self.open.pop() {
                Some(Close::Link) => vec![Part::End(TagEnd::Link)],
                Some(Close::Address(address)) => {
                    vec![Part::Text(" (".into()), Part::Code(self.seen(address.into())), Part::Text(")".into())]
                }
                Some(Close::Nothing) | None => Vec::new(),
            },
            other => vec![other],
        }
    }

    fn begun<'s>(&mut self, tag: Tag<'s>) -> Vec<Part<'s>> {
        let tag = match tag {
            Tag::HtmlBlock => Tag::Paragraph,
            Tag::Heading { level, .. } => {
                Tag::Heading { level: self.level(level), id: None, classes: Vec::new(), attrs: Vec::new() }
            }
            // The language of a block would become a class.
            Tag::CodeBlock(_) => Tag::CodeBlock(CodeBlockKind::Indented),
            // Alignment would become a style.
            Tag::Table(columns) => Tag::Table(vec![Alignment::None; columns.len()]),
            Tag::Image { dest_url, .. } => {
                self.open.push(Close::Address(dest_url.into_string()));
                return vec![Part::Text("picture: ".into())];
            }
            Tag::Link { link_type, dest_url, title, id } => {
                let address = address(link_type, &dest_url);
                let leads = self.form == Form::Page && may_lead_to(&address);
                // An address that is a link by itself is shown already.
                let is_shown = matches!(link_type, LinkType::Autolink | LinkType::Email);
                self.open.push(match (leads, is_shown) {
                    (true, _) => Close::Link,
                    (false, true) => Close::Nothing,
                    (false, false) => Close::Address(address),
                });
                if !leads {
                    return Vec::new();
                }
                Tag::Link { link_type, dest_url, title, id }
            }
            other => other,
        };
        vec![Part::Start(tag)]
    }

    /// The level of a heading: the first ones are taken where this is part of another page.
    fn level(&self, of: HeadingLevel) -> HeadingLevel {
        match (self.form, of) {
            (Form::Page, level) => level,
            (Form::Preview, HeadingLevel::H1) => HeadingLevel::H3,
            (Form::Preview, HeadingLevel::H2) => HeadingLevel::H4,
            (Form::Preview, HeadingLevel::H3) => HeadingLevel::H5,
            (Form::Preview, _) => HeadingLevel::H6,
        }
    }

    /// The words, in a preview with what would show nothing by its number.
    fn seen<'s>(&self, words: CowStr<'s>) -> CowStr<'s> {
        if self.form == Form::Page || text::first_hidden(&words).is_none() {
            return words;
        }
        let shown = |(c, is_hidden): (char, bool)| match is_hidden {
            true => format!("[U+{:04X}]", u32::from(c)),
            false => c.to_string(),
        };
        text::characters(&words).map(shown).collect::<String>().into()
    }
}

/// Where a link leads.
fn address(kind: LinkType, written: &str) -> String {
    if kind == LinkType::Email { format!("mailto:{written}") } else { written.to_owned() }
}

fn may_lead_to(address: &str) -> bool {
    let begins = |scheme: &&str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    SCHEMES.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, source: &str, wanted: &str) {
        assert_eq!(html(source, form).trim_end(), wanted, "{source}");
    }

    #[test]
    fn a_page_is_what_its_readers_see() {
        let check = |source: &str, wanted: &str| check(Form::Page, source, wanted);
        check(
            "# Ferns\n\nTwo *soft* **firm** ~~old~~ `x < y`",
            "<h1>Ferns</h1>\n<p>Two <em>soft</em> <strong>firm</strong> <del>old</del> <code>x &lt; y</code></p>",
        );
        check("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>");
        check(
            "[shop](https://example.com/?a=1&b=\"2\" \"a \\\"title\\\"\")",
            "<p><a href=\"https://example.com/?a=1&amp;b=%222%22\" title=\"a &quot;title&quot;\">shop</a></p>",
        );
        check("<ann@example.com>", "<p><a href=\"mailto:ann@example.com\">ann@example.com</a></p>");
        check("a<br>b", "<p>a&lt;br&gt;b</p>");
        check("<div onclick=x>\n<b>c</b>\n</div>", "<p>&lt;div onclick=x&gt;\n&lt;b&gt;c&lt;/b&gt;\n&lt;/div&gt;</p>");
        check("<!-- no -->", "<p>&lt;!-- no --&gt;</p>");
        check("```js\" onx=\"\nx\n```", "<pre><code>x\n</code></pre>");
        check(
            "|a|b|\n|:-|-:|\n|1|2|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>1</td><td>2</td></tr>\n</tbody></table>",
        );
    }

    #[test]
    fn what_leads_elsewhere_is_text_and_is_told() {
        for (source, wanted, told) in [
            ("[a](javascript:alert)", "<p>a (<code>javascript:alert</code>)</p>", "link to \"javascript:alert\""),
            ("[a](JaVaScript&#58;x)", "<p>a (<code>JaVaScript:x</code>)</p>", "link to"),
            ("[a](//evil.example)", "<p>a (<code>//evil.example</code>)</p>", "link to"),
            ("[a](data:text/html,x)", "<p>a (<code>data:text/html,x</code>)</p>", "link to"),
            ("[a](/about)", "<p>a (<code>/about</code>)</p>", "link to \"/about\""),
            ("<vbscript:x>", "<p>vbscript:x</p>", "link to"),
            ("[a][b]\n\n[b]: file:///etc", "<p>a (<code>file:///etc</code>)</p>", "link to"),
            (
                "![a *b*](https://evil.example/p.png)",
                "<p>picture: a <em>b</em> (<code>https://evil.example/p.png</code>)</p>",
                "picture",
            ),
            (
                "[![a](x)](https://b.example)",
                "<p><a href=\"https://b.example\">picture: a (<code>x</code>)</a></p>",
                "picture",
            ),
        ] {
            check(Form::Page, source, wanted);
            assert!(unfit(source).unwrap_or_default().contains(told), "{source}: {:?}", unfit(source));
        }
        assert_eq!(unfit("[a](https://b.example) <c@d.example> <b>"), None);
    }

    #[test]
    fn a_preview_shows_addresses_and_leads_nowhere() {
        let check = |source: &str, wanted: &str| check(Form::Preview, source, wanted);
        check("# One\n\n###### Six", "<h3>One</h3>\n<h6>Six</h6>");
        check("[shop](https://example.com)", "<p>shop (<code>https://example.com</code>)</p>");
        check("<https://example.com>", "<p>https://example.com</p>");
        check("![a](https://example.com/p.png)", "<p>picture: a (<code>https://example.com/p.png</code>)</p>");
        check("a\u{202E}b `c\u{200B}d`", "<p>a[U+202E]b <code>c[U+200B]d</code></p>");
        check("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>");
    }

    #[test]
    fn words_alone_are_not_marked_up() {
        for (source, is) in [
            ("Two words.\n\nMore & 3 < 4, 2 * 3 * 4.", false),
            ("*a*", true),
            ("- a", true),
            ("# a", true),
            ("[a](b)", true),
            ("<b>", true),
        ] {
            assert_eq!(is_marked_up(source), is, "{source}");
        }
    }

    #[test]
    fn a_heading_is_its_words() {
        assert_eq!(heading("Lead.\n\n## A *soft*\u{a0} `x`\n\n# B").as_deref(), Some("A soft x"));
        assert_eq!(heading("Lead."), None);
    }
}
