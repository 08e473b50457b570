//! `callsheet watch`: the runs of a project on a screen that stays: who is at work, what was said last, what waits for a person.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};
use tokio::sync::mpsc;

use super::exit::{Exit, Stop};
use super::paint::{Safe, is_terminal};
use super::session::Session;
use crate::id::{RunNo, Seq};
use crate::run::state::State;
use crate::run::view::{Entry, count};
use crate::service::error::Error;
use crate::service::list::{self, Filter, RunLine};
use crate::service::reading::{Reading, Readings};
use crate::words;
use crate::words::member::at_work;
use crate::words::time::clock_time;

/// The narrowest terminal on which the members stand beside the runs.
const BESIDE: u16 = 160;

/// Runs that are listed at most.
const RUNS_MAX: usize = 200;

/// Entries of a run that are kept for the lowest part of the screen.
const ENTRIES_MAX: usize = 60;

/// How long each thing that happened is shown before the next, unless a pace is given.
const PACE: Duration = Duration::from_millis(500);

const HELP: &str = "up and down choose a run    / narrows the list    w only what waits    ? this line    q ends";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Begins with this run; the newest if none is given
    run: Option<u64>,
    /// Plays this run again from its beginning, a thing that happened for each --pace; half a second if none is given
    #[arg(long, requires = "run")]
    replay: bool,
}

/// A run that is played again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Replay {
    run: RunNo,
    /// How much of what happened is shown.
    shown: usize,
    /// How much happened.
    all: usize,
    is_stopped: bool,
}

impl Replay {
    /// Whether more comes by itself.
    fn goes_on(self) -> bool {
        !self.is_stopped && self.shown < self.all
    }

    /// What is told below, with the key that helps.
    fn told(self) -> String {
        let keys = match (self.shown < self.all, self.is_stopped) {
            (true, true) => "space goes on",
            (true, false) => "space stops it",
            (false, _) => "space plays it again",
        };
        format!("run {} played again: {} of {}    {keys}    q ends", self.run, self.shown, self.all)
    }

    /// Space was pressed.
    fn turns(&mut self) {
        match self.shown < self.all {
            true => self.is_stopped = !self.is_stopped,
            false => (self.shown, self.is_stopped) = (0, false),
        }
    }
}

/// What is on the screen.
#[derive(Default)]
struct Screen {
    runs: Vec<RunLine>,
    /// The run that is looked at, by its place in the list.
    chosen: usize,
    members: Vec<[String; 6]>,
    entries: Vec<String>,
    narrowed: String,
    /// Whether keys are letters of what the list is narrowed to.
    types: bool,
    waiting_only: bool,
    helps: bool,
    replay: Option<Replay>,
}

pub(super) async fn watch(session: &Session, args: &Args) -> Result<Exit, Stop> {
    if !is_terminal() {
        return Err(Stop::input("watch needs a terminal; `callsheet runs` and `callsheet messages --follow` do not"));
    }
    let readings = Readings::new(Arc::clone(&session.project));
    let mut changes = session.project.changes()?;
    let mut screen = Screen::default();
    if let Some(no) = args.run.filter(|_| args.replay) {
        let row = session.project.run(Some(RunNo(no)))?;
        screen.replay = Some(Replay { run: row.no, shown: 0, all: 1, is_stopped: false });
    }
    let pace = session.settings.pace.unwrap_or(PACE);
    screen.read(session, &readings)?;
    if let Some(place) = args.run.and_then(|no| screen.runs.iter().position(|line| line.run.0 == no)) {
        screen.chosen = place;
        screen.read(session, &readings)?;
    }
    let mut keys = keys();
    let mut terminal = ratatui::init();
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| screen.draw(frame)) {
            break Err(error.into());
        }
        let goes_on = tokio::select! {
            _ = changes.changed() => true,
            key = keys.recv() => key.is_some_and(|key| screen.takes(&key)),
            () = tokio::time::sleep(pace), if screen.replay.is_some_and(Replay::goes_on) => {
                screen.replay.iter_mut().for_each(|replay| replay.shown += 1);
                true
            }
        };
        if !goes_on {
            break Ok(Exit::Done);
        }
        if let Err(error) = screen.read(session, &readings) {
            break Err(error.into());
        }
    };
    ratatui::restore();
    ended
}

/// Keys as they are pressed, and changes of the terminal's size.
fn keys() -> mpsc::Receiver<Event> {
    let (sink, keys) = mpsc::channel(16);
    // It waits for a key when the command ends, and goes with the process.
    std::thread::spawn(move || while event::read().is_ok_and(|event| sink.blocking_send(event).is_ok()) {});
    keys
}

impl Screen {
    /// Reads what is to be shown.
    fn read(&mut self, session: &Session, readings: &Readings) -> Result<(), Error> {
        let filter = Filter { limit: RUNS_MAX, ..Filter::default() };
        let runs = match list::runs(&session.project, &filter) {
            Err(Error::NothingYet) => Vec::new(),
            runs => runs?,
        };
        let fits = |line: &RunLine| {
            let is_named = line.topology.contains(&self.narrowed) || line.run.to_string() == self.narrowed;
            is_named && (!self.waiting_only || line.summary.waiting_for.is_some())
        };
        self.runs = runs.into_iter().filter(fits).collect();
        self.chosen = self.chosen.min(self.runs.len().saturating_sub(1));
        (self.members, self.entries) = match self.runs.get(self.chosen) {
            Some(line) => {
                let replay = self.replay.as_mut().filter(|replay| replay.run == line.run);
                readings.look(line.run, |run| look(run, replay, session.zone()))?
            }
            None => Default::default(),
        };
        Ok(())
    }

    /// Does what a key says; false if it ends the command.
    fn takes(&mut self, event: &Event) -> bool {
        let Event::Key(key) = event else { return true };
        if key.kind != KeyEventKind::Press {
            return true;
        }
        let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
        match key.code {
            _ if is_interrupt => return false,
            KeyCode::Enter | KeyCode::Esc if self.types => self.types = false,
            KeyCode::Backspace if self.types => drop(self.narrowed.pop()),
            KeyCode::Char(letter) if self.types => self.narrowed.push(letter),
            KeyCode::Char('q') => return false,
            KeyCode::Esc => self.narrowed.clear(),
            KeyCode::Char('/') => self.types = true,
            KeyCode::Char('?') => self.helps = !self.helps,
            KeyCode::Char(' ') => self.replay.iter_mut().for_each(Replay::turns),
            KeyCode::Char('w') => self.waiting_only = !self.waiting_only,
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.chosen += 1,
            _ => {}
        }
        true
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [title, runs, members, below, foot] = areas(frame.area());
        let waits = self.runs.iter().filter(|line| line.summary.waiting_for.is_some()).count();
        let said = format!("callsheet  {}, {waits} waiting for a person", count(self.runs.len(), "run"));
        frame.render_widget(Line::from(said).style(Modifier::BOLD), title);
        self.draw_runs(frame, runs);
        self.draw_members(frame, members);
        let height = usize::from(below.height.saturating_sub(2));
        let newest = &self.entries[self.entries.len().saturating_sub(height)..];
        let lines: Vec<Line<'_>> = newest.iter().map(|line| Line::from(line.as_str())).collect();
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("What happened")), below);
        let foot_says = match (self.types, self.narrowed.is_empty(), self.helps) {
            (true, ..) => format!("narrowed to: {}_", self.narrowed),
            (false, false, _) => format!("narrowed to: {}    Esc shows all", self.narrowed),
            (false, true, true) => HELP.to_owned(),
            (false, true, false) => self.replay.map_or_else(|| "? help    q ends".to_owned(), Replay::told),
        };
        frame.render_widget(Line::from(foot_says).style(Style::new().fg(Color::DarkGray)), foot);
    }

    fn draw_runs(&self, frame: &mut Frame<'_>, area: Rect) {
        let height = usize::from(area.height.saturating_sub(3)).max(1);
        // The chosen run stays in sight.
        let first = (self.chosen + 1).saturating_sub(height);
        let row = |(place, line): (usize, &RunLine)| {
            let state = if line.interrupted { "interrupted" } else { &line.summary.status };
            let who = line.summary.waiting_for.as_deref().unwrap_or_default();
            let style = if place == self.chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
            let cells = [
                Cell::from(line.run.to_string()),
                Cell::from(Safe(&line.topology).to_string()),
                Cell::from(state.to_owned()).style(Style::new().fg(colour(state))),
                Cell::from(Safe(who).to_string()),
                Cell::from(words::money(line.summary.nano_usd)),
            ];
            Row::new(cells).style(style)
        };
        let rows = self.runs.iter().enumerate().skip(first).take(height).map(row);
        let widths = [
            Constraint::Length(4),
            Constraint::Fill(1),
            Constraint::Length(11),
            Constraint::Fill(1),
            Constraint::Length(7),
        ];
        let heading =
            Row::new(["run", "campaign", "state", "waits for", "cost"]).style(Style::new().fg(Color::DarkGray));
        frame.render_widget(Table::new(rows, widths).header(heading).block(Block::bordered().title("Runs")), area);
    }

    fn draw_members(&self, frame: &mut Frame<'_>, area: Rect) {
        let row = |cells: &[String; 6]| Row::new(cells.clone());
        let widths = [
            Constraint::Fill(3),
            Constraint::Fill(3),
            Constraint::Length(5),
            Constraint::Length(9),
            Constraint::Length(8),
            Constraint::Fill(2),
        ];
        let heading =
            Row::new(["member", "does", "turns", "spent", "restarts", "last"]).style(Style::new().fg(Color::DarkGray));
        let title = self.runs.get(self.chosen).map_or_else(String::new, |line| format!("Run {}", line.run));
        let table = Table::new(self.members.iter().map(row), widths).header(heading);
        frame.render_widget(table.block(Block::bordered().title(title)), area);
    }
}

/// The title, the runs, the members, what happened, and the foot: where there is room, the members stand beside the runs.
fn areas(whole: Rect) -> [Rect; 5] {
    let (one, fill) = (Constraint::Length(1), Constraint::Fill);
    if whole.width < BESIDE {
        return Layout::vertical([one, fill(2), fill(3), fill(3), one]).areas(whole);
    }
    let [title, above, below, foot] = Layout::vertical([one, fill(2), fill(3), one]).areas(whole);
    let [runs, members] = Layout::horizontal([fill(1), fill(1)]).areas(above);
    [title, runs, members, below, foot]
}

fn colour(state: &str) -> Color {
    match state {
        "running" => Color::Blue,
        "waiting" => Color::Yellow,
        "done" => Color::Green,
        "paused" => Color::Magenta,
        _ => Color::Red,
    }
}

/// The members and what happened, up to now or as far as it is played again.
fn look(run: &Reading, replay: Option<&mut Replay>, zone: &str) -> (Vec<[String; 6]>, Vec<String>) {
    let all: Vec<&Entry> = run.entries().collect();
    let Some(replay) = replay else { return (members(run.story.state(), &all), entries(&all, zone)) };
    replay.all = all.len();
    let shown = &all[..replay.shown.min(all.len())];
    let then = run.at(shown.last().map_or(Seq(0), |entry| entry.seq));
    (then.map(|view| members(view.state(), shown)).unwrap_or_default(), entries(shown, zone))
}

/// Each member: what it does, its turns, what it spent, its restarts, and what it said last.
fn members(state: &State, said: &[&Entry]) -> Vec<[String; 6]> {
    let last = |name: &str| said.iter().rev().find(|entry| entry.from == name).map(|entry| entry.word.clone());
    let one = |name: &crate::id::AgentName| {
        let agent = state.agents.get(name);
        let turns = agent.map_or(0, |agent| agent.turns_total);
        let spent = state.ledger.by_agent.get(name).map_or(0, |account| account.spent.cost.0);
        [
            name.to_string(),
            at_work(state, name, turns).1,
            turns.to_string(),
            words::money(spent),
            agent.map_or(0, |agent| agent.restarts_total).to_string(),
            Safe(&last(name.as_str()).unwrap_or_default()).to_string(),
        ]
    };
    state.plan.team.keys().map(one).collect()
}

/// The newest entries, a line each.
fn entries(said: &[&Entry], zone: &str) -> Vec<String> {
    let line = |entry: &&Entry| {
        let to = entry.to.as_ref().map_or_else(String::new, |to| format!(" -> {to}"));
        let said = format!("{}{to}  {}  {}", entry.from, entry.word, entry.text.lines().next().unwrap_or_default());
        format!("{}  {}", clock_time(entry.at, zone), Safe(&said))
    };
    let mut newest: Vec<String> = said.iter().rev().take(ENTRIES_MAX).map(line).collect();
    newest.reverse();
    newest
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn shown(screen: &Screen) -> String {
        shown_on(screen, 110, 20)
    }

    fn shown_on(screen: &Screen, columns: u16, rows: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn no_column_is_clipped_on_a_terminal_of_usual_size() {
        let member = ["campaign_planner", "asks social_lead", "12", "$0.052385", "0", "weak_segment"];
        let members = vec![member.map(str::to_owned); 5];
        let said = "12:00:00  analyst -> planner  weak_segment  The segment lapsed clicks";
        let screen = Screen { members, entries: vec![said.to_owned()], ..Screen::default() };
        for (columns, rows) in [(80, 24), (120, 40), (160, 40)] {
            let page = shown_on(&screen, columns, rows);
            for heading in ["campaign ", "waits for", "member ", "does ", "turns", "spent", "restarts", "last"] {
                assert!(page.contains(heading), "{heading:?} is not on {columns}x{rows}:\n{page}");
            }
            for word in member.iter().chain([&said]) {
                assert!(page.contains(word), "{word:?} is not on {columns}x{rows}:\n{page}");
            }
        }
    }

    #[test]
    fn a_run_is_played_again_and_space_stops_it() {
        let mut screen =
            Screen { replay: Some(Replay { run: RunNo(3), shown: 1, all: 2, is_stopped: false }), ..Screen::default() };
        let check = |screen: &Screen, goes_on: bool, told: &str| {
            assert_eq!(screen.replay.map(Replay::goes_on), Some(goes_on), "{told}");
            assert!(shown(screen).contains(told), "{told:?} is not on\n{}", shown(screen));
        };
        let space = Event::Key(KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE));
        check(&screen, true, "run 3 played again: 1 of 2    space stops it");
        assert!(screen.takes(&space));
        check(&screen, false, "space goes on");
        assert!(screen.takes(&space));
        screen.replay.iter_mut().for_each(|replay| replay.shown += 1);
        check(&screen, false, "2 of 2    space plays it again");
        assert!(screen.takes(&space));
        check(&screen, true, "0 of 2");
    }

    #[test]
    fn a_screen_has_members_and_what_happened_and_says_what_keys_do() {
        let mut screen = Screen {
            members: vec![["critic", "at work", "2", "$0.01", "0", "revise"].map(str::to_owned)],
            entries: (0..30).map(|nth| format!("line {nth}")).collect(),
            ..Screen::default()
        };
        let page = shown(&screen);
        for wanted in ["0 runs, 0 waiting for a person", "critic", "at work", "revise", "line 29", "? help"] {
            assert!(page.contains(wanted), "{wanted} is not on\n{page}");
        }
        assert!(!page.contains("line 0 "), "the newest lines are shown:\n{page}");
        let key = |code| Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        assert!(screen.takes(&key(KeyCode::Char('?'))));
        assert!(shown(&screen).contains("up and down choose a run"));
        for letter in "/laq".chars() {
            assert!(screen.takes(&key(KeyCode::Char(letter))), "{letter} is a letter of what the list is narrowed to");
        }
        assert!(screen.takes(&key(KeyCode::Backspace)) && screen.takes(&key(KeyCode::Enter)));
        assert_eq!(screen.narrowed, "la");
        assert!(!screen.takes(&key(KeyCode::Char('q'))), "it ends");
        let interrupt = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!screen.takes(&interrupt), "it ends");
    }
}
