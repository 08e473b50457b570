//! `[notify]` and the addresses of people: what they say, and every fault of them on its line.

use std::collections::BTreeMap;

use lettre::Address;
use serde::Deserialize as _;

use super::origin::word;
use crate::tool::open::Secrets;
use crate::tool::part::address::system;
use crate::tool::part::smtp::Server;
use crate::tool::part::smtp::mailbox::mailbox;
use crate::topology::editor::{Channel, MailServer, Notify};
use crate::topology::fault::{At, Code, Fault, Faults};
use crate::topology::raw::project::Person;
use crate::topology::raw::{Entries, Tree};
use crate::topology::shape;
use crate::topology::whom::is_meant;

/// Who is declared.
pub(super) struct Known<'p>(pub(super) Option<&'p Entries<Person>>);

impl<'p> Known<'p> {
    fn people(&self) -> impl Iterator<Item = &'p (At<String>, Person)> + use<'p> {
        self.0.into_iter().flatten()
    }

    /// Whether an address is written of whoever is called so; one that is none is told there.
    fn has_address(&self, name: &str) -> bool {
        self.people().any(|(known, person)| known.value == name && person.email.is_some())
    }

    /// Who is meant by a name or a `group:NAME`.
    fn meant<'w>(&self, whom: &'w str) -> impl Iterator<Item = &'p str> + use<'p, 'w> {
        let is_meant = move |(name, person): &&(At<String>, Person)| {
            is_meant(whom, &name.value, person.groups.iter().map(|of| &of.value))
        };
        self.people().filter(is_meant).map(|(name, _)| name.value.as_str())
    }
}

/// Where mails reach people, by name; of those whose address is one.
pub(super) fn emails(people: Option<&Entries<Person>>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut emails = BTreeMap::new();
    for (name, Person { email, .. }) in people.into_iter().flatten() {
        let Some(Some(email)) = email else { continue };
        match address(&email.value) {
            Ok(()) => drop(emails.insert(name.value.clone(), email.value.clone())),
            Err((what, instead)) => faults.push(Fault::new(Code::WrongValue, &email.place, what, instead)),
        }
    }
    emails
}

/// What the table says, if it is well written.
pub(super) fn read(table: &Tree, known: &Known<'_>, faults: &mut Faults) -> Option<Notify> {
    let wrong = shape::faults(table, &schemars::schema_for!(Notify).to_value());
    if !wrong.is_empty() {
        faults.extend(wrong);
        return None;
    }
    let read = Notify::deserialize(&table.value).ok()?;
    if read.link.as_ref().is_some_and(|link| !is_address(link)) {
        let instead = "write it as \"https://callsheet.example.com\"";
        let place = &table.at(["link"]).place;
        faults.push(Fault::new(Code::WrongValue, place, "the page has no such address".to_owned(), instead));
    }
    for (name, channel) in &read.channels {
        let mut look = Look { table: table.at(["channels", name]), faults };
        look.whom(channel.whom(), known);
        if let Channel::Email { from, to, smtp, whom } = channel {
            look.sends(from, to.as_deref(), smtp);
            if to.is_none() {
                look.reaches(whom, known);
            }
        }
    }
    let channels = table.part("channels").into_iter().flat_map(|(_, channels)| &channels.parts);
    channels.for_each(|(name, _)| word(name, faults));
    Some(read)
}

/// One channel's table, and where its faults go.
struct Look<'t> {
    table: &'t Tree,
    faults: &'t mut Faults,
}

impl Look<'_> {
    fn fault<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>, what: String, instead: &str) {
        self.faults.push(Fault::new(Code::WrongValue, &self.table.at(keys).place, what, instead));
    }

    /// Nobody is named whom the project does not know.
    fn whom(&mut self, whom: &[String], known: &Known<'_>) {
        for whom in whom.iter().filter(|whom| known.meant(whom).next().is_none()) {
            let what = format!("the project declares nobody as {whom:?}");
            self.fault(["for"], what, "write a name of [people], or \"group:NAME\" of a group of theirs");
        }
    }

    /// Its mails have a sender, and a server that may be asked.
    fn sends(&mut self, from: &str, to: Option<&str>, smtp: &MailServer) {
        if let Some(Err((what, instead))) = to.map(address) {
            self.fault(["to"], what, instead);
        }
        match mailbox(from) {
            Err(why) => self.fault(["from"], format!("from {}", why.what), why.instead),
            Ok(sender) => {
                // Nobody is asked, and no secret is read.
                if let Err(why) = Server::new(smtp, &sender.email, Secrets::none(), system()) {
                    self.fault(["smtp", why.key], why.what, &why.instead);
                }
            }
        }
    }

    /// Whoever it tells by name has an address, and so has anybody at all.
    fn reaches(&mut self, whom: &[String], known: &Known<'_>) {
        // Of whom the project does not know is told already.
        if whom.iter().any(|whom| known.meant(whom).next().is_none()) {
            return;
        }
        let named = whom.iter().filter(|whom| !whom.starts_with("group:"));
        let without: Vec<&String> = named.filter(|name| !known.has_address(name)).collect();
        for name in &without {
            let instead = format!("write email = \"{name}@example.com\" under [people.{name}], or `to` here");
            self.fault(["for"], format!("{name} has no e-mail address"), &instead);
        }
        let is_anybody = match whom {
            [] => known.people().any(|(_, person)| person.email.is_some()),
            whom => whom.iter().flat_map(|whom| known.meant(whom)).any(|name| known.has_address(name)),
        };
        if !is_anybody && without.is_empty() {
            let what = "nobody whom it would tell has an e-mail address".to_owned();
            self.fault([], what, "write `email` under [people.NAME], or to = \"team@example.com\" here");
        }
    }
}

/// Whether a mail can be sent there; else what is wrong, and what to write.
fn address(text: &str) -> Result<(), (String, &'static str)> {
    match text.parse::<Address>() {
        Ok(_) => Ok(()),
        Err(_) => Err((format!("{text:?} is no e-mail address"), "write one such as \"ana@example.com\"")),
    }
}

/// Whether it is where a page can be, with nothing behind its host and path.
fn is_address(link: &str) -> bool {
    let is_plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains(['?', '#', '@'])
    };
    ["https://", "http://"].iter().filter_map(|scheme| link.strip_prefix(scheme)).any(is_plain)
}
