//! What a collector of OpenTelemetry hears of a run: a whole tree of spans, once each, however the run's processes came and went and
//! whatever the collector did; and no text of the run. One collector is a real one, the others are as bad as they come.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::cli::Project;
use super::tools::is_there;
use super::wire::server::{Asked, Framing, Played, Then, framed, serve};

/// A run by hand, with exit codes: two processes, the second ends it.
const LINES: [(&str, i32); 2] = [("run re-engagement --rehearse --param 'shop=Canary Seven'", 3), ("approve 1", 0)];

/// What must not be heard: a parameter, and words of a draft.
const TEXTS: [&str; 2] = ["Canary", "house plants"];

fn says(status: &str) -> Played {
    framed(&[status.to_owned()], b"", Framing::Length)
}

/// Runs, and gives the spans that `answer` took: it is told how many requests came before.
fn heard(answer: impl Fn(usize, &Asked) -> Played + Send + Sync + 'static) -> Vec<Span> {
    let took = Arc::new(Mutex::new((0, Vec::new())));
    let place = serve({
        let took = Arc::clone(&took);
        move |asked| {
            let mut took = took.lock().unwrap();
            let played = answer(took.0, asked);
            took.0 += 1;
            if played.bytes.starts_with(b"HTTP/1.1 200") {
                assert!(asked.head.starts_with("POST /v1/traces "), "{}", asked.head);
                assert!(asked.head.to_lowercase().contains("\r\nx-key: a b"), "{}", asked.head);
                let request = ExportTraceServiceRequest::decode(asked.bytes.as_slice()).unwrap();
                let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
                took.1.extend(scopes.flat_map(|scope| scope.spans));
                assert!(TEXTS.iter().all(|text| !asked.body.contains(text)), "a text of the run went to the collector");
            }
            played
        }
    });
    runs(&place);
    took.lock().unwrap().1.clone()
}

fn runs(place: &str) {
    let project = Project::new();
    for (line, code) in LINES {
        let mut command = project.command();
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", place).env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b");
        let output = command.args(super::cli::words(line)).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn attribute<'s>(span: &'s Span, key: &str) -> Option<&'s Value> {
    span.attributes.iter().find(|of| of.key == key)?.value.as_ref()?.value.as_ref()
}

/// Whether these are all the spans of one run, once each, and hang together.
fn whole(spans: &[Span]) {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let mut ids: Vec<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "a span came twice: {names:?}");
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 1, "{names:?}");
    assert_eq!(roots[0].name, "invoke_workflow re-engagement");
    assert_eq!(attribute(roots[0], "callsheet.status"), Some(&Value::StringValue("done".to_owned())));
    for span in spans {
        assert_eq!(span.trace_id, roots[0].trace_id);
        let parent = &span.parent_span_id;
        assert!(parent.is_empty() || ids.contains(&parent.as_slice()), "{} hangs on nothing", span.name);
        assert!(span.links.iter().all(|link| ids.contains(&link.span_id.as_slice())), "{} leads nowhere", span.name);
        assert!(roots[0].start_time_unix_nano <= span.start_time_unix_nano, "{} begins before its run", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{} ends before it begins", span.name);
    }
    for name in ["handoff start to", "invoke_agent", "chat", "execute_tool", "approval"] {
        assert!(names.iter().any(|of| of.starts_with(name)), "no span of {name}: {names:?}");
    }
    let sum = |key: &str| -> i64 {
        let all = spans.iter().filter_map(|span| attribute(span, key));
        all.map(|value| if let Value::IntValue(count) = value { *count } else { 0 }).sum()
    };
    let (used, told) = (sum("gen_ai.usage.input_tokens") + sum("gen_ai.usage.output_tokens"), sum("callsheet.tokens"));
    assert!(used > 0);
    assert_eq!(used, told, "the calls' tokens are not the run's");
}

#[test]
fn a_run_of_two_processes_is_one_trace() {
    whole(&heard(|_, _| says("200 OK")));
}

#[test]
fn what_a_collector_refuses_for_now_is_sent_again() {
    whole(&heard(|nth, _| says(if nth % 2 == 0 { "503 Service Unavailable" } else { "200 OK" })));
}

#[test]
fn a_collector_that_refuses_leads_astray_or_says_nothing_keeps_no_run_waiting() {
    let elsewhere = serve(|_| panic!("a redirect was followed"));
    let location = format!("location: {elsewhere}/v1/traces");
    let redirect = move || framed(&["307 Temporary Redirect".to_owned(), location.clone()], b"", Framing::Length);
    assert_eq!(heard(move |_, _| redirect()), []);
    assert_eq!(heard(|_, _| says("400 Bad Request")), []);
    assert_eq!(heard(|_, _| Played { bytes: Vec::new(), then: Then::Silence }), []);
    // Nobody is there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    runs(&format!("http://{gone}"));
}

#[test]
fn doctor_says_what_is_wrong_with_the_variables() {
    let project = Project::new();
    let taken = serve(|_| says("200 OK"));
    let refused = serve(|_| says("401 Unauthorized"));
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[(endpoint, &taken)], "which takes them"),
        (&[(endpoint, &refused)], "answers 401 Unauthorized"),
        (&[(endpoint, "localhost:4318")], "write it as http://localhost:4318"),
        (&[(endpoint, &taken), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "speaks http/protobuf only"),
        (&[(endpoint, &taken), ("OTEL_EXPORTER_OTLP_HEADERS", "nonsense")], "write it as name=value"),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &refused), (endpoint, &taken)], "answers 401"),
        (&[(endpoint, "http://127.0.0.1:1"), ("OTEL_TRACES_EXPORTER", "none")], ""),
    ];
    for (variables, told) in cases {
        let output = project.command().arg("doctor").envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.contains(" telemetry ")).unwrap_or_default();
        assert!(line.contains(told) && line.is_empty() == told.is_empty(), "{variables:?}: {line}");
    }
}

/// A real collector, until it is dropped.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_collector_reads_every_span() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/collector/rotel-agent");
    if !is_there(&program, "a collector of OpenTelemetry") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (http, grpc) = (free(), free());
    let mut command = Command::new(program);
    command.args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
    command.args(["--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc]).arg("--pid-file");
    command.arg(folder.path().join("pid")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut collector = Collector(command.spawn().unwrap());
    while TcpStream::connect(&http).is_err() {
        assert!(collector.0.try_wait().unwrap().is_none(), "the collector ended");
        std::thread::yield_now();
    }
    runs(&format!("http://{http}"));
    let lines = BufReader::new(collector.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut names = Vec::new();
    for line in lines {
        if let Some((_, name)) = line.split_once("Name           : ") {
            names.push(name.to_owned());
            if name == "invoke_workflow re-engagement" {
                break;
            }
        }
    }
    assert!(names.iter().any(|name| name.starts_with("execute_tool")), "{names:?}");
}
