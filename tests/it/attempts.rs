//! What one attempt comes to is its own: its panic, error or hang costs no other, and nothing that comes late is taken for
//! another. Once with real actors, once with the owner as a value, moment by moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsheet::failure::{Class, Failure, Work};
use callsheet::id::{AgentName, Digest, EffectId, Epoch, Seq, Timestamp, ToolName};
use callsheet::journal::{Batch, Error, Head, Op, Query, Store as _, Summary, audit};
use callsheet::model::{Act, Ask, Model, Reply, ToolCall};
use callsheet::run::body::Receipt;
use callsheet::run::event::{Amount, BodyRef, Decision, Ending, Event, FACT_VERSION, Fact, Origin, Settled, Wish};
use callsheet::run::input::{Command, Failed, What};
use callsheet::run::owner::{self, Attempt, Gone, Moment};
use callsheet::run::state::{State, Status};
use callsheet::tool::{Approved, Call, Callable, Declared, Intent, Item, Outward, Tool};
use callsheet::topology::spec::{Repeat, ToolSpec};
use serde_json::json;
use tokio::sync::{Barrier, Semaphore, mpsc};

use super::supervision::{recorded, slow, with_sink};
use super::support::{Driven, NEVER, Rig, brief, shipped, who};
use super::tools::outward;

type Owner = owner::Owner<Error>;
type Order = owner::Order<Error>;

/// Items that are performed at once.
const ITEMS: usize = 64;

/// The one that goes wrong.
const WRONG: &str = "item-007";

/// A sink whose items are all under way before one goes wrong, and wait until that is heard.
struct Many {
    inner: Arc<dyn Outward>,
    panics: bool,
    tried: AtomicUsize,
    here: Barrier,
    heard: Semaphore,
}

impl Declared for Many {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }
}

impl Outward for Many {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        let items: Vec<_> = (0..ITEMS).map(|nth| json!({ "title": format!("note {nth}") })).collect();
        self.inner.prepare(Intent { args: json!({ "items": items }), ..intent })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            if self.tried.fetch_add(1, Ordering::SeqCst) < ITEMS {
                self.here.wait().await;
                match item.item.key.as_str() {
                    WRONG if self.panics => panic!("the test's own panic"),
                    WRONG => return Err(Failure::new(Class::Bug, "the test's own bug")),
                    _ => self.heard.acquire().await.unwrap().forget(),
                }
            }
            self.inner.perform(item).await
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_deliveries_panics_or_errs_and_the_others_are_delivered_once() {
    for panics in [true, false] {
        let (mut plan, mut rig, tool, record) = with_sink(Repeat::Once);
        plan.tools.get_mut(&tool).unwrap().call_timeout_ms = 60_000;
        plan.budget.recipients = None;
        let (inner, tried) = (outward(&rig.tools[&tool]), AtomicUsize::new(0));
        let many = Arc::new(Many { inner, panics, tried, here: Barrier::new(ITEMS), heard: Semaphore::new(0) });
        rig.tools.insert(tool, Tool::Outward(Arc::clone(&many) as Arc<dyn Outward>));
        let driven = rig.run(&plan).await;
        driven.settled().await;
        driven.decide("ada", Decision::Approve).await.unwrap();
        let publisher: AgentName = "publisher".parse().unwrap();
        let dead = |state: &State| state.agents.get(&publisher).is_some_and(|known| known.restarts_total == 1);
        driven.until("a restart", dead).await;
        many.heard.add_permits(ITEMS);
        let state = driven.until("the others", |state| state.effects.len() == 1).await;
        let (_, left) = state.effects.first_key_value().unwrap();
        assert!(left.doubt.is_some(), "nobody knows whether it happened");
        let recorded = recorded(&record);
        assert_eq!(recorded.len(), ITEMS - 1, "{recorded:?}");
        assert!(recorded.values().all(|times| *times == 1) && !recorded.contains_key(WRONG), "{recorded:?}");
        assert_eq!(many.tried.load(Ordering::SeqCst), ITEMS, "each was tried once");
        driven.system.stop().await;
    }
}

/// An owner in the hands of a test: what it wants appended is durable at once.
struct Hand {
    owner: Owner,
    /// What its journal comes to.
    durable: State,
    at: Timestamp,
    /// What is in its inbox.
    rows: VecDeque<What>,
    facts: Vec<Fact>,
}

const BODY: BodyRef = BodyRef { digest: Digest([7; 32]), bytes: 1 };

impl Hand {
    /// A run that waits for an approval, with that in its inbox.
    async fn approved(repeat: Repeat, tamper: impl FnOnce(&mut State)) -> Self {
        let (plan, rig, ..) = with_sink(repeat);
        let driven = rig.run(&plan).await;
        assert_eq!(driven.settled().await, Status::Waiting);
        let (approval, binds) = driven.open_approval();
        driven.system.stop().await;
        let mut state = driven.state();
        let (seq, at) = (Seq(driven.facts().len() as u64), state.now);
        let say = Command::Decide { approval, binds, decision: Decision::Approve, comment: BODY };
        let first = state.heard;
        let epoch = Epoch(state.epoch.0 + 1);
        tamper(&mut state);
        let mut owner = Owner::new(state.clone(), seq, true);
        owner.opened(Some(epoch));
        let mut hand = Self { owner, durable: state, at, rows: VecDeque::new(), facts: Vec::new() };
        hand.post(first, say);
        hand
    }

    /// Something is posted after `place`.
    fn post(&mut self, place: u64, say: Command) {
        let (place, post) = (place + 1, uuid::Uuid::from_u128(place.into()));
        self.rows.push_back(What::Posted { place, post, at: self.at, say: Some((who("ada"), say)) });
    }

    /// One whose three items are under way.
    async fn acting(repeat: Repeat) -> (Self, Vec<Attempt>) {
        let mut hand = Self::approved(repeat, |_| ()).await;
        let started = started(&hand.go_on());
        assert_eq!(started.len(), 3);
        (hand, started)
    }

    /// What the owner orders after it was told something, but for what is appended and read.
    fn go_on(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        let moment = Moment { uptime_ms: 1_000_000, at: self.at, jitter_permille: 0 };
        while let Some(order) = self.owner.heed(moment) {
            match order {
                Order::Nothing => {}
                Order::Append(append) => {
                    let seq = Seq(self.owner.seq().0 + append.facts.len() as u64);
                    append.facts.iter().for_each(|fact| self.durable.apply(fact).unwrap());
                    self.facts.extend(append.facts);
                    self.owner.appended(seq);
                }
                Order::Read(_) => self.owner.read(self.rows.pop_front().map(|row| (row, Vec::new()))),
                Order::Load => self.owner.loaded(self.durable.clone(), self.owner.seq()),
                Order::KillHung(agent, attempts) => {
                    self.owner.died(&attempts, Class::Transient, BODY, Vec::new());
                    orders.push(Order::KillHung(agent, attempts));
                }
                order => orders.push(order),
            }
        }
        orders.extend(self.owner.go_on(self.at));
        orders
    }

    fn wait_ms(&mut self, ms: u64) -> Vec<Order> {
        self.at = self.at.plus_ms(ms);
        self.owner.woken(self.at);
        self.go_on()
    }

    fn performs(&mut self, attempt: Attempt) -> bool {
        self.owner.outcome(attempt, Ok(Settled::Performed { receipt: BODY }), None, Vec::new())
    }

    fn dies(&mut self, attempt: Attempt) -> Vec<Order> {
        self.owner.died(&[attempt], Class::Bug, BODY, Vec::new());
        self.go_on()
    }

    fn count(&self, kind: &str) -> usize {
        self.facts.iter().filter(|fact| fact.is.kind() == kind).count()
    }
}

fn started(orders: &[Order]) -> Vec<Attempt> {
    let start = |order: &Order| if let Order::Start(attempt) = order { Some(*attempt) } else { None };
    orders.iter().filter_map(start).collect()
}

#[tokio::test]
async fn what_an_older_attempt_comes_to_is_not_taken_for_a_newer_one() {
    let (mut hand, first) = Hand::acting(Repeat::Idempotent { key_age_ms: 3_600_000 }).await;
    hand.dies(first[0]);
    assert_eq!((hand.count("agent_failed"), hand.count("fell_in_doubt")), (1, 1));
    for attempt in &first[1..] {
        assert!(hand.performs(*attempt), "it is still waited for");
        hand.go_on();
    }
    let again = started(&hand.wait_ms(2_000));
    assert!(matches!(again.as_slice(), [again] if again.id == first[0].id && *again != first[0]), "{again:?}");
    assert_eq!(hand.owner.state().effects[&first[0].id].attempt, 1, "the key and its attempt are the same");
    let before = hand.facts.len();
    assert!(!hand.performs(first[0]), "late");
    assert!(hand.dies(first[0]).iter().all(|order| matches!(order, Order::Timer(Some(_)))), "late");
    assert_eq!((hand.facts.len(), hand.owner.state().effects.len()), (before, 1));
    assert!(hand.performs(again[0]));
    assert!(!hand.performs(again[0]), "twice");
    let orders = hand.go_on();
    assert!(matches!(orders.as_slice(), [Order::LetGo(Gone::Parked)]), "{orders:?}");
    assert_eq!(hand.owner.state().status(), Status::Ended(Ending::Done));
}

#[tokio::test]
async fn who_hangs_is_killed_and_who_began_later_goes_on() {
    let (mut hand, first) = Hand::acting(Repeat::Once).await;
    let failed = Failed {
        class: Class::Transient,
        reason: BODY,
        retry_after_ms: Some(300),
        too_long: false,
        lost: false,
        artefact: None,
    };
    assert!(hand.owner.outcome(first[0], Err(failed), None, Vec::new()));
    hand.go_on();
    let again = started(&hand.wait_ms(400));
    assert!(matches!(again.as_slice(), [again] if again.id == first[0].id), "{again:?}");
    // 200 ms, and the grace after it; the other one began 400 ms later.
    let orders = hand.wait_ms(300);
    let killed = orders.iter().find_map(|order| match order {
        Order::KillHung(_, attempts) => Some(attempts.clone()),
        _ => None,
    });
    let mut hung = first[1..].to_vec();
    hung.sort();
    assert_eq!(killed, Some(hung));
    assert_eq!((hand.count("agent_failed"), hand.count("fell_in_doubt")), (1, 2));
    assert!(hand.performs(again[0]), "it is still waited for");
    hand.go_on();
    let outward = hand.owner.state().effects.values().filter(|effect| effect.is_outward());
    assert_eq!(outward.map(|effect| effect.doubt.is_some()).collect::<Vec<_>>(), [true, true]);
}

#[tokio::test]
async fn a_run_that_is_paused_hears_all_that_was_posted_and_is_kept_while_something_is_under_way() {
    let (mut hand, first) = Hand::acting(Repeat::Once).await;
    let heard = hand.owner.state().heard;
    for (nth, say) in (0..).zip([Command::Pause, Command::Resume, Command::Pause]) {
        hand.post(heard + nth, say);
    }
    hand.owner.posted();
    let orders = hand.go_on();
    assert!(matches!(orders.as_slice(), [Order::Timer(Some(_))]), "{orders:?}");
    assert_eq!((hand.owner.state().status(), hand.owner.state().heard), (Status::Paused, heard + 3));
    assert!(first.into_iter().all(|attempt| hand.performs(attempt)));
    let orders = hand.go_on();
    assert!(matches!(orders.as_slice(), [Order::LetGo(Gone::Parked)]), "{orders:?}");
    assert_eq!(hand.owner.state().status(), Status::Paused);
}

#[tokio::test]
async fn what_dies_of_one_fault_counts_as_one_death() {
    let (mut hand, first) = Hand::acting(Repeat::Idempotent { key_age_ms: 3_600_000 }).await;
    for attempt in &first {
        hand.at = hand.at.plus_ms(1);
        hand.dies(*attempt);
    }
    let counts = |hand: &Hand| ["agent_failed", "agent_restarted", "fell_in_doubt"].map(|kind| hand.count(kind));
    assert_eq!(counts(&hand), [1, 1, 3]);
    let again = started(&hand.wait_ms(2_000));
    assert_eq!(again.len(), 3);
    hand.dies(again[0]);
    assert_eq!(counts(&hand), [2, 2, 4], "what began after that death is another");
}

#[tokio::test]
async fn an_owner_whose_invariant_is_broken_says_so_and_lets_go() {
    let mut hand = Hand::approved(Repeat::Once, |state| state.ledger.reserved.steps += 1).await;
    let orders = hand.go_on();
    assert!(matches!(orders.as_slice(), [Order::LetGo(Gone::Bug(why))] if why.starts_with("I7")), "{orders:?}");
    assert_eq!(hand.facts.len(), 1, "{:?}", hand.facts);
    assert!(matches!(hand.facts[0].is, Event::Ended { how: Ending::Bug }));
    assert!(*hand.owner.state() == hand.durable, "what was decided and never durable is not the run's");
    hand.owner.posted();
    assert!(hand.go_on().is_empty(), "it does nothing more");
}

#[tokio::test]
async fn an_owner_that_breaks_after_it_was_taken_over_says_nothing_in_the_next_ones_name() {
    let mut hand = Hand::approved(Repeat::Once, |state| state.ledger.reserved.steps += 1).await;
    hand.durable.epoch = Epoch(hand.durable.epoch.0 + 2);
    let orders = hand.go_on();
    assert!(matches!(orders.as_slice(), [Order::LetGo(Gone::Bug(why))] if why.starts_with("I7")), "{orders:?}");
    assert_eq!(hand.facts, []);
}

/// Appends to the run of `driven` what no callsheet decides: a step beyond every limit.
fn tamper(rig: &Rig, driven: &Driven<'_>) {
    let (state, run) = (driven.state(), driven.handle.run);
    let (message, turn) = state.turns.first_key_value().unwrap();
    let id = EffectId::of(run, &turn.agent, *message, turn.asked);
    let (wish, reserved) = (Wish::Prepare { binds: None }, Amount { steps: 1_000_000, ..Amount::default() });
    let is = Event::EffectAsked { id, message: *message, ordinal: turn.asked, wish, reserved };
    let json = serde_json::to_vec(&Fact { at: state.now, is }).unwrap();
    let row = rig.store.runs(&Query { id: Some(run), ..Query::default() }).unwrap().pop().unwrap();
    let batch = Batch {
        run,
        after: row.last,
        epoch: row.epoch,
        heads: vec![Head { kind: "effect_asked".to_owned(), version: FACT_VERSION, json }],
        bodies: Vec::new(),
        summary: Summary::default(),
        at: state.now,
        release: false,
    };
    rig.store.commit(&[Op::Append(batch)]).pop().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_invariant_ends_its_run_as_a_bug_and_no_other() {
    let plan = shipped("content-repurposing");
    let (rig, mut asked, go) = slow("drafter");
    let driven = rig.run(&plan).await;
    asked.recv().await.unwrap();
    driven.system.stop().await;
    tamper(&rig, &driven);
    let (before, run) = (driven.facts().len(), driven.handle.run);
    // Another run of the same process is in the middle of its work meanwhile.
    let other = rig.run(&plan).await;
    while !asked.recv().await.unwrap() {}
    let handle = other.system.open(run, false).await.unwrap();
    let broken = Driven::of(&rig, other.system.clone(), handle);
    let state = broken.until("its end", |state| state.ended.is_some()).await;
    assert_eq!(state.status(), Status::Ended(Ending::Bug));
    assert_eq!(broken.facts().len(), before + 1, "nothing else is appended");
    assert!(!state.effects.is_empty(), "the evidence is there");
    audit::verify(rig.store.as_ref(), run).unwrap();
    let mut progress = broken.handle.progress();
    let gone = progress.wait_for(|now| now.gone.is_some()).await.unwrap().gone.clone();
    assert!(matches!(gone, Some(Gone::Bug(_))), "{gone:?}");
    go.add_permits(100);
    assert_eq!(other.approve_all().await, Status::Ended(Ending::Done));
    let third = other.system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let third = Driven::of(&rig, other.system.clone(), third);
    assert_eq!(third.approve_all().await, Status::Ended(Ending::Done), "the process lives on");
    other.system.stop().await;
}

/// A model that asks for two tools at once.
struct Two;

impl Model for Two {
    fn reply<'a>(&'a self, _: &'a Ask) -> Work<'a, Reply> {
        let call = |id: &str, tool: &str, args| {
            let (id, tool, named) = (id.to_owned(), tool.parse().unwrap(), String::new());
            ToolCall { id, tool, args, named }
        };
        let calls = vec![call("a", "articles.list", json!({})), call("b", "articles.read", json!({ "path": "a.md" }))];
        Box::pin(async { Ok(Reply::new(Act::Calls(calls), Origin::Scripted)) })
    }
}

/// Of two calls side by side one never ends, and the other panics once that is under way.
struct Pair {
    spec: ToolSpec,
    panics: bool,
    under_way: Arc<Semaphore>,
    gone: mpsc::UnboundedSender<()>,
}

/// Says that a call is gone.
struct Says(mpsc::UnboundedSender<()>);

impl Drop for Says {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Declared for Pair {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
}

impl Callable for Pair {
    fn call(&self, _: Call) -> Work<'_, serde_json::Value> {
        Box::pin(async {
            if self.panics {
                self.under_way.acquire().await.unwrap().forget();
                panic!("the test's own panic");
            }
            let _says = Says(self.gone.clone());
            self.under_way.add_permits(1);
            std::future::pending().await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_any_more_is_killed_though_its_agent_lives() {
    let mut plan = shipped("content-repurposing");
    plan.supervisor.poison_after = 1;
    let (mut rig, under_way) = (Rig::new(), Arc::new(Semaphore::new(0)));
    let (gone, mut goes) = mpsc::unbounded_channel();
    for (name, panics) in [("articles.list", true), ("articles.read", false)] {
        let name: ToolName = name.parse().unwrap();
        plan.tools.get_mut(&name).unwrap().call_timeout_ms = 3_600_000;
        let (spec, under_way) = (rig.tools[&name].spec().clone(), Arc::clone(&under_way));
        rig.tools.insert(name, Tool::callable(Pair { spec, panics, under_way, gone: gone.clone() }));
    }
    rig.model = Arc::new(Two);
    let driven = rig.run(&plan).await;
    // The panic is the last of its message, and nobody waits for the other call of it.
    assert_eq!(driven.settled().await, Status::Stuck, "{:?}", driven.state());
    assert_eq!(tokio::time::timeout(NEVER, goes.recv()).await, Ok(Some(())), "the call goes on");
    driven.system.stop().await;
}
