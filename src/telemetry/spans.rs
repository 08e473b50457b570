//! What happened in a run as spans: the run itself, handoffs, turns, calls of models and tools, and the time that people take.
//! Names and attributes are those of OpenTelemetry's conventions for generative AI where they have one; ours begin with `callsheet.`.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::{Event as Mark, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use crate::failure::{Class, Usage};
use crate::id::{AgentName, ApprovalNo, Digest, EffectId, MessageId, Outcome, RunId, Seq, Timestamp};
use crate::run::event::{Amount, Ending, Event, Fact, Message, Settled, Wish};
use crate::run::state;
use crate::topology::plan::{Plan, Recipient, Role};

/// What a span is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Run,
    /// From the message's sending until somebody takes it up.
    Handoff(MessageId),
    Turn(MessageId),
    Effect(EffectId),
    /// From the question until it is answered, or does not matter any more.
    Person(ApprovalNo),
}

/// A run's spans that have begun and not ended.
pub(super) struct Trace {
    run: RunId,
    seen: Seq,
    is_over: bool,
    /// Models by member: provider and name.
    models: BTreeMap<AgentName, (String, String)>,
    open: BTreeMap<Of, Span>,
    /// To whom each message went, as far as it may still be taken up.
    to: BTreeMap<MessageId, AgentName>,
    spent: Amount,
}

/// What a reply used, if its provider said so.
pub(super) type UsageOf<'u> = dyn FnMut(Digest) -> Option<Usage> + 'u;

impl Trace {
    /// Nothing of it has happened yet.
    pub(super) fn new(run: RunId, plan: &Plan) -> Self {
        let spoken = |role: &Role| match role {
            Role::Model { model, .. } => plan.models.get(model).map(|spec| {
                let (provider, model) =
                    spec.model.split_once('/').unwrap_or((spec.model.as_str(), spec.model.as_str()));
                (provider.to_owned(), model.to_owned())
            }),
            Role::Person(_) | Role::Tool { .. } | Role::Rule(_) => None,
        };
        let models = plan.team.iter().filter_map(|(name, member)| Some((name.clone(), spoken(&member.role)?)));
        let mut trace = Self {
            run,
            seen: Seq(0),
            is_over: false,
            models: models.collect(),
            open: BTreeMap::new(),
            to: BTreeMap::new(),
            spent: Amount::default(),
        };
        let attributes = vec![
            text("gen_ai.operation.name", "invoke_workflow"),
            text("gen_ai.workflow.name", &plan.name),
            text("callsheet.mode", plan.mode.word()),
        ];
        let name = format!("invoke_workflow {}", plan.name);
        trace.begin(Of::Run, None, (name, SpanKind::Internal), Timestamp(0), attributes);
        trace
    }

    /// The last record that was taken.
    pub(super) fn seen(&self) -> Seq {
        self.seen
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the next record, and gives the spans that end with it.
    pub(super) fn take(&mut self, seq: Seq, fact: &Fact, usage: &mut UsageOf<'_>) -> Vec<Span> {
        self.seen = seq;
        if let Some((of, name, attributes)) = mark(&fact.is) {
            self.mark(of, name, fact.at, attributes);
        }
        self.span(fact, usage)
    }

    /// Begins and ends what a record is about.
    fn span(&mut self, fact: &Fact, usage: &mut UsageOf<'_>) -> Vec<Span> {
        let at = fact.at;
        match &fact.is {
            Event::Started { .. } => {
                self.open.entry(Of::Run).and_modify(|span| span.start_time_unix_nano = nanos(at));
                Vec::new()
            }
            Event::MessageSent(message) => self.sent(message, at),
            Event::TurnBegan { message } => self.turn(*message, at),
            Event::TurnEnded { message, outcome, .. } => self.end(Of::Turn(*message), at, None, came(outcome)),
            Event::EffectAsked { id, message, wish, .. } => {
                self.asked(*id, *message, wish, at);
                Vec::new()
            }
            Event::EffectSettled { id, spent, result } => {
                self.spent = self.spent.plus(*spent);
                let used = if let Settled::Replied(replied) = result { usage(replied.body.digest) } else { None };
                self.end(Of::Effect(*id), at, None, used.map(tokens).into_iter().flatten().collect())
            }
            Event::EffectFailed { id, class, spent, last, .. } => {
                self.spent = self.spent.plus(*spent);
                if *last { self.end(Of::Effect(*id), at, Some(*class), Vec::new()) } else { Vec::new() }
            }
            Event::ApprovalAsked { no, message, .. } => self.person(*no, Of::Turn(*message), "approval", at),
            Event::QuestionAsked { no, effect } => self.person(*no, Of::Effect(*effect), "question", at),
            Event::PersonAnswered { no, outcome, .. } => self.end(Of::Person(*no), at, None, came(outcome)),
            Event::QuestionAnswered { no, .. } | Event::ApprovalClosed { no, .. } => {
                self.end(Of::Person(*no), at, None, Vec::new())
            }
            Event::DeadLettered { message, class, .. } => {
                let of = [Of::Handoff(*message), Of::Turn(*message)].map(|of| self.end(of, at, Some(*class), vec![]));
                of.into_iter().flatten().collect()
            }
            Event::Ended { how } => self.over(*how, at),
            Event::ApprovalDecided { .. }
            | Event::Reminded { .. }
            | Event::Escalated { .. }
            | Event::ApprovalOverdue { .. }
            | Event::Looked { .. }
            | Event::Assigned { .. }
            | Event::CommentMade { .. }
            | Event::CommentReplied { .. }
            | Event::CommentResolved { .. }
            | Event::NoteLeft { .. }
            | Event::Followed { .. }
            | Event::ResultsAttached { .. }
            | Event::AnswerRefused { .. }
            | Event::ContextCut { .. }
            | Event::AgentFailed { .. }
            | Event::Split { .. }
            | Event::AgentRestarted { .. }
            | Event::Opened { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::CancelAsked { .. }
            | Event::RetryPlanned { .. }
            | Event::ModelSwitched { .. }
            | Event::EffectBegan { .. }
            | Event::FellInDoubt { .. }
            | Event::Heard { .. }
            | Event::InputRefused { .. }
            | Event::CalledOff { .. }
            | Event::VersionWritten(_)
            | Event::EditRefused { .. }
            | Event::PermitGiven { .. }
            | Event::PermitVoided { .. }
            | Event::DeadLetterAnswered { .. }
            | Event::BudgetRaised { .. } => Vec::new(),
        }
    }

    fn sent(&mut self, message: &Message, at: Timestamp) -> Vec<Span> {
        let from = message.from.as_ref().map_or("start", AgentName::as_str);
        let to = match &message.to {
            Recipient::Member(to) => to.as_str(),
            Recipient::End => "end",
        };
        let mut attributes = vec![
            text("callsheet.from", from),
            text("callsheet.to", to),
            text("callsheet.outcome", message.outcome.as_str()),
            number("callsheet.round", message.round.into()),
        ];
        if !message.branch.is_root() {
            attributes.push(text("callsheet.branch", &message.branch.to_string()));
        }
        let name = format!("handoff {from} to {to}");
        let of = Of::Handoff(message.id);
        self.begin(of, Some(Of::Run), (name, SpanKind::Producer), at, attributes);
        if let Some(cause) = message.cause {
            self.link(of, Of::Turn(cause));
        }
        match &message.to {
            Recipient::Member(to) => {
                self.to.insert(message.id, to.clone());
                Vec::new()
            }
            Recipient::End => self.end(of, at, None, Vec::new()),
        }
    }

    fn turn(&mut self, message: MessageId, at: Timestamp) -> Vec<Span> {
        let Some(agent) = self.to.get(&message).cloned() else { return Vec::new() };
        let mut attributes =
            vec![text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", agent.as_str())];
        if let Some((provider, model)) = self.models.get(&agent) {
            attributes.extend([text("gen_ai.provider.name", provider), text("gen_ai.request.model", model)]);
        }
        let name = format!("invoke_agent {agent}");
        self.begin(Of::Turn(message), Some(Of::Run), (name, SpanKind::Internal), at, attributes);
        self.link(Of::Turn(message), Of::Handoff(message));
        self.end(Of::Handoff(message), at, None, Vec::new())
    }

    fn asked(&mut self, id: EffectId, message: MessageId, wish: &Wish, at: Timestamp) {
        let tool = |tool: &str| {
            let attributes = vec![text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", tool)];
            (format!("execute_tool {tool}"), SpanKind::Internal, attributes)
        };
        let (name, kind, attributes) = match wish {
            Wish::Model { .. } => {
                let model = self.to.get(&message).and_then(|agent| self.models.get(agent)).cloned();
                let (provider, model) = model.unwrap_or_default();
                let attributes = vec![
                    text("gen_ai.operation.name", "chat"),
                    text("gen_ai.provider.name", &provider),
                    text("gen_ai.request.model", &model),
                ];
                (format!("chat {model}"), SpanKind::Client, attributes)
            }
            Wish::Tool { tool: name, call, .. } => {
                let (name, kind, mut attributes) = tool(name.as_str());
                attributes.push(text("gen_ai.tool.call.id", call));
                (name, kind, attributes)
            }
            Wish::Own { tool: name } => tool(name.as_str()),
            Wish::Deliver { tool: name, permit, recipients, .. } => {
                let (name, kind, mut attributes) = tool(name.as_str());
                attributes.push(number("callsheet.approval", permit.0));
                attributes.push(number("callsheet.recipients", *recipients));
                (name, kind, attributes)
            }
            Wish::Query { .. } => ("callsheet.query".to_owned(), SpanKind::Client, Vec::new()),
            Wish::Prepare { .. } => ("callsheet.prepare".to_owned(), SpanKind::Internal, Vec::new()),
            Wish::Rule => ("callsheet.rule".to_owned(), SpanKind::Internal, Vec::new()),
            Wish::Question { .. } => return,
        };
        self.begin(Of::Effect(id), Some(Of::Turn(message)), (name, kind), at, attributes);
    }

    fn person(&mut self, no: ApprovalNo, parent: Of, what: &str, at: Timestamp) -> Vec<Span> {
        let attributes = vec![number("callsheet.approval", no.0)];
        self.begin(Of::Person(no), Some(parent), (what.to_owned(), SpanKind::Internal), at, attributes);
        Vec::new()
    }

    /// The run is over, and with it whatever is still open.
    fn over(&mut self, how: Ending, at: Timestamp) -> Vec<Span> {
        self.is_over = true;
        let failed = match how {
            Ending::Failed => Some(Class::Permanent),
            Ending::Stopped => Some(Class::Budget),
            Ending::Bug => Some(Class::Bug),
            Ending::Done | Ending::Rejected | Ending::Cancelled => None,
        };
        let open: Vec<Of> = self.open.keys().copied().filter(|of| *of != Of::Run).collect();
        let mut ended: Vec<Span> = open.into_iter().flat_map(|of| self.end(of, at, None, Vec::new())).collect();
        let spent = self.spent;
        let attributes = vec![
            text("callsheet.status", state::Status::Ended(how).word()),
            number("callsheet.steps", spent.steps),
            number("callsheet.tokens", spent.tokens),
            KeyValue {
                key: "callsheet.cost_usd".to_owned(),
                value: Some(AnyValue { value: Some(Value::DoubleValue(spent.cost.0 as f64 / 1e9)) }),
                ..KeyValue::default()
            },
        ];
        ended.extend(self.end(Of::Run, at, failed, attributes));
        ended
    }

    fn begin(
        &mut self,
        of: Of,
        parent: Option<Of>,
        (name, kind): (String, SpanKind),
        at: Timestamp,
        attributes: Vec<KeyValue>,
    ) {
        let mut attributes = attributes;
        attributes.push(text("gen_ai.conversation.id", &self.run.to_string()));
        let span = Span {
            trace_id: self.run.0.as_bytes().to_vec(),
            span_id: self.id(of),
            parent_span_id: parent.map(|parent| self.id(parent)).unwrap_or_default(),
            name,
            kind: kind.into(),
            start_time_unix_nano: nanos(at),
            attributes,
            ..Span::default()
        };
        // A turn that is begun again after its agent died goes on.
        self.open.entry(of).or_insert(span);
    }

    /// The same whichever process makes it.
    fn id(&self, of: Of) -> Vec<u8> {
        let (kind, which) = match of {
            Of::Run => ("run", Vec::new()),
            Of::Handoff(message) => ("handoff", message.0.to_le_bytes().to_vec()),
            Of::Turn(message) => ("turn", message.0.to_le_bytes().to_vec()),
            Of::Effect(effect) => ("effect", effect.0.0.to_vec()),
            Of::Person(no) => ("person", no.0.to_le_bytes().to_vec()),
        };
        Digest::of("callsheet span 1", &[self.run.0.as_bytes(), kind.as_bytes(), &which]).0[..8].to_vec()
    }

    fn link(&mut self, of: Of, to: Of) {
        let link = Link { trace_id: self.run.0.as_bytes().to_vec(), span_id: self.id(to), ..Link::default() };
        if let Some(span) = self.open.get_mut(&of) {
            span.links.push(link);
        }
    }

    fn mark(&mut self, of: Of, name: &str, at: Timestamp, attributes: Vec<KeyValue>) {
        if let Some(span) = self.open.get_mut(&of) {
            let mark = Mark { name: name.to_owned(), time_unix_nano: nanos(at), attributes, ..Mark::default() };
            span.events.push(mark);
        }
    }

    fn end(&mut self, of: Of, at: Timestamp, failed: Option<Class>, attributes: Vec<KeyValue>) -> Vec<Span> {
        let Some(mut span) = self.open.remove(&of) else { return Vec::new() };
        span.end_time_unix_nano = nanos(at);
        span.attributes.extend(attributes);
        if let Some(class) = failed {
            span.attributes.push(text("error.type", class.word()));
            span.status = Some(Status { code: StatusCode::Error.into(), message: String::new() });
        }
        match of {
            // What people are asked in a turn ends with it.
            Of::Turn(_) => {
                let mut ended = self.asked_within(&span.span_id, at);
                ended.push(span);
                ended
            }
            Of::Run | Of::Handoff(_) | Of::Effect(_) | Of::Person(_) => vec![span],
        }
    }

    fn asked_within(&mut self, parent: &[u8], at: Timestamp) -> Vec<Span> {
        let is_within =
            |(of, span): (&Of, &Span)| (matches!(of, Of::Person(_)) && span.parent_span_id == parent).then_some(*of);
        let within: Vec<Of> = self.open.iter().filter_map(is_within).collect();
        within.into_iter().flat_map(|of| self.end(of, at, None, Vec::new())).collect()
    }
}

/// What happens within a span: of which, how it is called, and what is said of it.
fn mark(event: &Event) -> Option<(Of, &'static str, Vec<KeyValue>)> {
    let plain = |of: Of, name: &'static str| Some((of, name, Vec::new()));
    match event {
        Event::EffectFailed { id, class, last: false, .. } => {
            Some((Of::Effect(*id), "callsheet.attempt_failed", vec![text("error.type", class.word())]))
        }
        Event::RetryPlanned { id, attempt, .. } => {
            Some((Of::Effect(*id), "callsheet.retry", vec![number("callsheet.attempt", (*attempt).into())]))
        }
        Event::ModelSwitched { id, from, to, .. } => {
            let attributes = vec![text("callsheet.from", from), text("callsheet.to", to)];
            Some((Of::Effect(*id), "callsheet.model_switched", attributes))
        }
        Event::EffectBegan { id, .. } => plain(Of::Effect(*id), "callsheet.began"),
        Event::FellInDoubt { id, .. } => plain(Of::Effect(*id), "callsheet.in_doubt"),
        Event::ApprovalDecided { no, decision, .. } => {
            Some((Of::Person(*no), "callsheet.decided", vec![text("callsheet.decision", decision.word())]))
        }
        Event::Reminded { no } => plain(Of::Person(*no), "callsheet.reminded"),
        Event::Escalated { no, .. } => plain(Of::Person(*no), "callsheet.escalated"),
        Event::ApprovalOverdue { no } => plain(Of::Person(*no), "callsheet.overdue"),
        Event::Looked { no, .. } => plain(Of::Person(*no), "callsheet.looked"),
        Event::Assigned { no, .. } => plain(Of::Person(*no), "callsheet.assigned"),
        Event::CommentMade { .. } => plain(Of::Run, "callsheet.comment_made"),
        Event::CommentReplied { .. } => plain(Of::Run, "callsheet.comment_replied"),
        Event::CommentResolved { .. } => plain(Of::Run, "callsheet.comment_resolved"),
        Event::NoteLeft { .. } => plain(Of::Run, "callsheet.note_left"),
        Event::Followed { .. } => plain(Of::Run, "callsheet.followed"),
        Event::ResultsAttached { .. } => plain(Of::Run, "callsheet.results_attached"),
        Event::AnswerRefused { message, .. } => plain(Of::Turn(*message), "callsheet.answer_refused"),
        Event::ContextCut { message } => plain(Of::Turn(*message), "callsheet.context_cut"),
        Event::AgentFailed { message, class, .. } => {
            Some((Of::Turn(*message), "exception", vec![text("exception.type", class.word())]))
        }
        Event::Split { message, branches, .. } => {
            Some((Of::Turn(*message), "callsheet.split", vec![number("callsheet.branches", (*branches).into())]))
        }
        Event::AgentRestarted { agent, .. } => {
            Some((Of::Run, "callsheet.restarted", vec![text("gen_ai.agent.name", agent.as_str())]))
        }
        Event::Opened { epoch } => Some((Of::Run, "callsheet.opened", vec![number("callsheet.epoch", epoch.0)])),
        Event::Paused { .. } => plain(Of::Run, "callsheet.paused"),
        Event::Resumed { .. } => plain(Of::Run, "callsheet.resumed"),
        Event::CancelAsked { .. } => plain(Of::Run, "callsheet.cancel_asked"),
        Event::Started { .. }
        | Event::MessageSent(_)
        | Event::TurnBegan { .. }
        | Event::TurnEnded { .. }
        | Event::EffectAsked { .. }
        | Event::EffectSettled { .. }
        | Event::EffectFailed { .. }
        | Event::ApprovalAsked { .. }
        | Event::QuestionAsked { .. }
        | Event::PersonAnswered { .. }
        | Event::QuestionAnswered { .. }
        | Event::ApprovalClosed { .. }
        | Event::DeadLettered { .. }
        | Event::Ended { .. }
        | Event::Heard { .. }
        | Event::InputRefused { .. }
        | Event::CalledOff { .. }
        | Event::VersionWritten(_)
        | Event::EditRefused { .. }
        | Event::PermitGiven { .. }
        | Event::PermitVoided { .. }
        | Event::DeadLetterAnswered { .. }
        | Event::BudgetRaised { .. } => None,
    }
}

/// What a turn or a person came to.
fn came(outcome: &Outcome) -> Vec<KeyValue> {
    vec![text("callsheet.outcome", outcome.as_str())]
}

fn tokens(usage: Usage) -> [KeyValue; 3] {
    [
        number("gen_ai.usage.input_tokens", usage.input_tokens),
        number("gen_ai.usage.output_tokens", usage.output_tokens),
        number("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
    ]
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: u64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX))) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default().saturating_mul(1_000_000)
}
