//! What a register of the engine's program holds, as far as that is followed: the columns of text that it may come from.

use super::column::Kind;
use super::load::Columns;

/// What is known of a value: the columns of text it may come from as they are, and whether it is a number for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// A bit for each column of text, in the order of [`Texts`]; what is beyond the last bit shares it.
    pub(super) texts: u128,
    pub(super) number: bool,
    /// The instruction that makes the text that it is, if it is one and the same for certain.
    pub(super) literal: Option<usize>,
}

/// By number; a register that is absent holds nothing, or NULL, yet.
pub(super) type Registers = Vec<Option<Value>>;

/// The columns of text.
pub(super) struct Texts(Vec<(String, Kind)>);

impl Texts {
    pub(super) fn of(tables: &[Columns]) -> Self {
        let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |(name, kind)| (table, name, kind)));
        let text = |(table, name, kind): (&Columns, &String, &Option<Kind>)| {
            Some((format!("{}.{name}", table.table), kind.filter(|kind| kind.is_text())?))
        };
        Self(columns.filter_map(text).collect())
    }

    pub(super) fn bit_of(&self, name: &str) -> u128 {
        self.0.iter().position(|(text, _)| text == name).map_or(0, bit)
    }

    /// Those among `bits`, each with its name, such as `orders.note`.
    pub(super) fn among(&self, bits: u128) -> impl Iterator<Item = &(String, Kind)> {
        self.0.iter().enumerate().filter(move |(nth, _)| bits & bit(*nth) != 0).map(|(_, text)| text)
    }

    /// The same of these kinds; of one that shares its bit, nobody knows which it is.
    pub(super) fn of_kind(&self, bits: u128, is_meant: fn(Kind) -> bool) -> u128 {
        let alone = self.0.iter().enumerate().filter(|(nth, _)| *nth < SHARED || self.0.len() <= SHARED + 1);
        let meant = alone.filter(|(_, (_, kind))| is_meant(*kind)).map(|(nth, _)| bit(nth));
        bits & meant.fold(0, |all, one| all | one)
    }
}

/// More registers than a statement within the limits has.
const REGISTERS_MAX: usize = 100_000;

/// The bit that texts beyond it share.
const SHARED: usize = 127;

impl Value {
    /// What is known of a value that is the one or the other.
    pub(super) fn or(self, other: Self) -> Self {
        let literal = self.literal.filter(|literal| other.literal == Some(*literal));
        Self { texts: self.texts | other.texts, number: self.number && other.number, literal }
    }
}

fn bit(nth: usize) -> u128 {
    1 << nth.min(SHARED)
}

pub(super) fn get(state: &[Option<Value>], register: i64) -> Option<Value> {
    usize::try_from(register).ok().and_then(|register| state.get(register).copied().flatten())
}

pub(super) fn set(state: &mut Registers, register: i64, value: Option<Value>) {
    let Some(place) = usize::try_from(register).ok().filter(|place| *place < REGISTERS_MAX) else { return };
    if place >= state.len() && value.is_some() {
        state.resize(place + 1, None);
    }
    if let Some(before) = state.get_mut(place) {
        *before = value;
    }
}

/// Adds to `into` what may be before the same instruction on another way; whether that is new.
pub(super) fn join(into: &mut Option<Registers>, state: &[Option<Value>]) -> bool {
    let Some(known) = into else {
        *into = Some(state.to_vec());
        return true;
    };
    let mut new = false;
    if known.len() < state.len() {
        known.resize(state.len(), None);
    }
    for (before, value) in known.iter_mut().zip(state) {
        let both = match (*before, *value) {
            (Some(before), Some(value)) => Some(before.or(value)),
            (before, value) => before.or(value),
        };
        new |= both != *before;
        *before = both;
    }
    new
}
