//! A page of the web as the text that its readers see.

/// The text of a page, without its scripts and styles.
pub fn plain(html: &str) -> String {
    mail_parser::decoders::html::html_to_text(html).trim().to_owned()
}
