//! What people said to members, as it comes to a state.

use super::Legal;
use crate::id::{AgentName, MessageId, Timestamp};
use crate::run::event::{BodyRef, Part, Who};
use crate::run::note::{Attached, Note};
use crate::run::state::State;
use crate::topology::plan::Mode;

impl State {
    pub(super) fn leave_note(&mut self, to: &AgentName, by: &Who, note: BodyRef) -> Legal {
        if !self.plan.reads_notes(to) {
            return Err("the member reads no notes");
        }
        self.notes.push(Note { to: to.clone(), by: by.name.clone(), note, read_in: None });
        Ok(())
    }

    /// Whoever follows is told of the end.
    pub(super) fn follow(&mut self, by: &Who, on: bool) -> Legal {
        let changes = if on { self.followers.insert(by.name.clone()) } else { self.followers.remove(&by.name) };
        if changes { Ok(()) } else { Err("the person follows the run so already") }
    }

    /// What came of the run: nothing came of one that nothing left.
    pub(super) fn attach(&mut self, no: u32, by: &Who, table: BodyRef, at: Timestamp) -> Legal {
        if self.plan.mode != Mode::Live {
            return Err("nothing left the run, and so nothing came of it");
        }
        if no as usize != self.attached.len() + 1 {
            return Err("what is attached is numbered without gaps");
        }
        self.attached.push(Attached { table, by: by.name.clone(), at });
        Ok(())
    }

    /// What nobody has shown `agent` yet is shown in its turn of `message`: the parts, and their bytes.
    pub(super) fn told(&mut self, agent: &AgentName, message: MessageId) -> (Vec<Part>, u64) {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for note in self.notes.iter_mut().filter(|note| note.to == *agent && note.read_in.is_none()) {
            note.read_in = Some(message);
            parts.push(Part::Told(note.by.clone(), note.note.digest));
            bytes += u64::from(note.note.bytes);
        }
        (parts, bytes)
    }
}
