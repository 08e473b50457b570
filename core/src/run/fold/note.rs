//! What people said to members, as it comes to a state.

use crate::id::{AgentName, MessageId};
use crate::run::event::Part;
use crate::run::state::State;

impl State {
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
