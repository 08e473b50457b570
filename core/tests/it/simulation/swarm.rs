//! What a seed draws: how often each thing goes wrong. Many probabilities are nothing, so that runs differ in kind and
//! one fault does not hide behind another.

use crate::random::Random;

/// Probabilities in permille, and a few habits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Swarm {
    /// Happenings before the faults stop.
    pub(crate) happenings: u64,
    /// Owners die: before an append, after it, between happenings.
    pub(crate) crash_before: u64,
    pub(crate) crash_after: u64,
    pub(crate) crash_between: u64,
    /// A second owner takes the run from a living one.
    pub(crate) take_over: u64,
    /// An owner stands still, in milliseconds at most.
    pub(crate) stall: u64,
    pub(crate) stall_ms: u64,
    /// The clock jumps, forward or back in one seed, never both.
    pub(crate) jump: u64,
    pub(crate) jump_back: bool,
    /// A waiting run is dropped from memory.
    pub(crate) park: bool,
    /// Attempts: how they fail, before anything is done.
    pub(crate) fail: u64,
    pub(crate) only_transient: bool,
    pub(crate) panic: u64,
    pub(crate) hang: u64,
    /// Requests to a sink: lost on the way, or the answer is.
    pub(crate) lose_request: u64,
    pub(crate) lose_answer: u64,
    /// Outcomes are delivered twice.
    pub(crate) duplicate: u64,
    /// Models: refused answers, forbidden calls, calls at all.
    pub(crate) bad_answer: u64,
    pub(crate) bad_call: u64,
    pub(crate) calls: u64,
    /// A model asks its teammates, if it may.
    pub(crate) asks: u64,
    /// A model takes another outcome than its first.
    pub(crate) wander: u64,
    /// What is on the desk cannot be prepared for a person.
    pub(crate) prepare_refuses: u64,
    /// Somebody whom nobody declared says something.
    pub(crate) undeclared: u64,
    /// Tools refuse what a model asked for.
    pub(crate) tool_refuses: u64,
    /// People: how they decide, and what they do wrong.
    pub(crate) request_changes: u64,
    pub(crate) reject: u64,
    pub(crate) edit: u64,
    pub(crate) nonsense: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) idle: u64,
    pub(crate) meddle: u64,
    pub(crate) cancel: u64,
    pub(crate) stop_dead: u64,
    /// They remark something on a version.
    pub(crate) remark: u64,
    /// How long a person takes to look, in milliseconds at most.
    pub(crate) person_ms: u64,
}

impl Swarm {
    /// The faults of one seed.
    pub(crate) fn draw(random: &mut Random, mut later: Option<&mut Random>) -> Self {
        let mut often = |most: u64| {
            let (on, of) = (random.chance(450), random.between(1, most));
            if on { of } else { 0 }
        };
        let mut drawn = Self {
            happenings: 0,
            crash_before: often(60),
            crash_after: often(60),
            crash_between: often(60),
            take_over: often(60),
            stall: often(200),
            stall_ms: 0,
            jump: often(40),
            jump_back: false,
            park: false,
            fail: often(400),
            only_transient: false,
            panic: often(250),
            hang: often(200),
            lose_request: often(400),
            lose_answer: often(400),
            duplicate: often(300),
            bad_answer: often(400),
            bad_call: often(500),
            calls: often(800),
            asks: later.as_deref_mut().map_or(0, |later| later.between(0, 2).min(1) * later.between(100, 900)),
            prepare_refuses: later.as_deref_mut().map_or(0, |later| later.below(2) * later.between(50, 700)),
            undeclared: later.map_or(0, |later| later.below(2) * later.between(50, 300)),
            wander: often(700),
            tool_refuses: often(400),
            request_changes: often(500),
            reject: often(150),
            edit: often(500),
            nonsense: often(500),
            twice: often(300),
            late: often(400),
            idle: often(900),
            meddle: often(60),
            cancel: often(15),
            stop_dead: often(500),
            remark: often(500),
            person_ms: 0,
        };
        drawn.happenings = random.between(20, 300);
        drawn.only_transient = random.chance(150);
        if drawn.only_transient {
            drawn.fail *= 2;
        }
        drawn.stall_ms = random.skewed(120_000);
        drawn.jump_back = random.chance(500);
        drawn.park = random.chance(300);
        let longest = if random.chance(200) { 8 * 86_400_000 } else { 3_600_000 };
        drawn.person_ms = random.between(100, longest);
        drawn
    }

    /// Nothing goes wrong any more, and people answer.
    pub(crate) fn healed(&self) -> Self {
        Self {
            park: self.park,
            calls: 200,
            asks: 200,
            prepare_refuses: 100,
            wander: 300,
            request_changes: 100,
            reject: 50,
            person_ms: 60_000,
            ..Self::default()
        }
    }
}
