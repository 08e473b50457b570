//! The projects that `init` writes: a minimal team, the shipped campaigns as they stand in the repository, and a team for a
//! CSV file of one's own. Texts by path; who writes them is elsewhere.

pub mod csv;
pub mod own;

/// A file of a project: its path below the folder, and its text.
pub type File = (String, String);

/// A project that can be written.
#[derive(Debug)]
pub struct Template {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it is, one sentence.
    pub what: &'static str,
    /// The topology that is run first.
    pub topology: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// Tables of the repository's `callsheet.toml` that this project has no use for.
    without: &'static [&'static str],
}

/// Files of the repository, each under its own path: there is no second copy of them.
macro_rules! shipped {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// Files of a template of this folder.
macro_rules! own_files {
    ($folder:literal: $($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!($folder, "/", $path)))),*] };
}

/// What is asked for if nothing is.
pub const FIRST: &str = "minimal";

/// All that can be asked for by name.
pub const TEMPLATES: [Template; 8] = [
    Template {
        name: FIRST,
        what: "one agent writes a newsletter about a text, and a person signs it",
        topology: "announcement",
        without: &[],
        files: own_files!["minimal":
            "callsheet.toml",
            "topologies/announcement.toml",
            "agents/writer.toml",
            "agents/approver.toml",
            "schemas/letter.json",
            "rehearsals/announcement.toml",
            "texts/seed-swap.md",
        ],
    },
    Template {
        name: "re-engagement",
        what: "find the segment that clicks least for a reason, and win it back with mails",
        topology: "re-engagement",
        without: &["tools.articles", "tools.market"],
        files: shipped![
            "callsheet.toml",
            "topologies/re-engagement.toml",
            "agents/analyst.toml",
            "agents/analyst.md",
            "agents/planner.toml",
            "agents/planner.md",
            "agents/drafter.toml",
            "agents/drafter.md",
            "agents/critic.toml",
            "agents/critic.md",
            "agents/approver.toml",
            "schemas/audience.json",
            "schemas/campaign_plan.json",
            "schemas/email_sequence.json",
            "schemas/finding.json",
            "schemas/review.json",
            "rehearsals/re-engagement.toml",
            "data/README.md",
            "data/calendar.csv",
            "data/contacts.csv",
            "data/segment_names.csv",
            "data/sends.csv",
        ],
    },
    Template {
        name: "content-repurposing",
        what: "turn an article into a newsletter, a LinkedIn post and a short post",
        topology: "content-repurposing",
        without: &["tools.performance", "tools.email", "tools.market", "checks.campaign_qa"],
        files: shipped![
            "callsheet.toml",
            "topologies/content-repurposing.toml",
            "agents/researcher.toml",
            "agents/researcher.md",
            "agents/drafter.toml",
            "agents/drafter.md",
            "agents/critic.toml",
            "agents/critic.md",
            "agents/approver.toml",
            "schemas/article_notes.json",
            "schemas/channel_versions.json",
            "schemas/review.json",
            "rehearsals/content-repurposing.toml",
            "data/articles/ferns-in-winter.md",
            "data/articles/repotting.md",
        ],
    },
    Template {
        name: "investigate",
        what: "one agent looks into a question about the data with a team to ask, and reports",
        topology: "investigate",
        without: &["tools.articles", "tools.email", "tools.market", "checks.campaign_qa"],
        files: shipped![
            "callsheet.toml",
            "topologies/investigate.toml",
            "agents/investigator.toml",
            "agents/investigator.md",
            "agents/archivist.toml",
            "agents/archivist.md",
            "agents/sceptic.toml",
            "agents/sceptic.md",
            "agents/approver.toml",
            "schemas/data_notes.json",
            "schemas/finding.json",
            "schemas/report.json",
            "schemas/review.json",
            "rehearsals/investigate.toml",
            "data/README.md",
            "data/calendar.csv",
            "data/contacts.csv",
            "data/segment_names.csv",
            "data/sends.csv",
        ],
    },
    Template {
        name: "launch",
        what: "announce an article on several channels at once, each approved by whoever owns it",
        topology: "launch",
        without: &["tools.performance", "tools.email", "checks.campaign_qa", "tools.market"],
        files: shipped![
            "callsheet.toml",
            "topologies/launch.toml",
            "topologies/campaign-qa.toml",
            "agents/launch_planner.toml",
            "agents/launch_planner.md",
            "agents/channel_writer.toml",
            "agents/channel_writer.md",
            "agents/critic.toml",
            "agents/critic.md",
            "agents/launch_editor.toml",
            "agents/launch_editor.md",
            "agents/setter.toml",
            "agents/setter.md",
            "agents/content_lead.toml",
            "agents/social_lead.toml",
            "schemas/launch_plan.json",
            "schemas/channel_post.json",
            "schemas/review.json",
            "schemas/launch_issue.json",
            "schemas/channel_versions.json",
            "rehearsals/launch.toml",
            "rehearsals/campaign-qa.toml",
            "data/articles/ferns-in-winter.md",
            "data/articles/repotting.md",
        ],
    },
    Template {
        name: "competitive-brief",
        what: "read several pages at once and write a brief with a source for each claim",
        topology: "competitive-brief",
        without: &["tools.performance", "tools.email", "checks.campaign_qa", "tools.articles"],
        files: shipped![
            "callsheet.toml",
            "topologies/competitive-brief.toml",
            "agents/watch_planner.toml",
            "agents/watch_planner.md",
            "agents/watcher.toml",
            "agents/watcher.md",
            "agents/brief_analyst.toml",
            "agents/brief_analyst.md",
            "agents/brief_sceptic.toml",
            "agents/brief_sceptic.md",
            "agents/approver.toml",
            "schemas/watchlist.json",
            "schemas/observation.json",
            "schemas/competitive_brief.json",
            "schemas/review.json",
            "rehearsals/competitive-brief.toml",
            "data/market/greenhouse-nine.md",
            "data/market/leaf-and-stem.md",
            "data/market/potted.md",
        ],
    },
    Template {
        name: "best-of-three",
        what: "three drafts at once, and an editor who takes the best",
        topology: "best-of-three",
        without: &["tools.performance", "tools.email", "checks.campaign_qa", "tools.market"],
        files: shipped![
            "callsheet.toml",
            "topologies/best-of-three.toml",
            "topologies/campaign-qa.toml",
            "agents/critic.toml",
            "agents/critic.md",
            "schemas/review.json",
            "agents/researcher.toml",
            "agents/researcher.md",
            "agents/newsletter_writer.toml",
            "agents/newsletter_writer.md",
            "agents/editor.toml",
            "agents/editor.md",
            "agents/approver.toml",
            "schemas/article_notes.json",
            "schemas/channel_versions.json",
            "rehearsals/best-of-three.toml",
            "rehearsals/campaign-qa.toml",
            "data/articles/ferns-in-winter.md",
            "data/articles/repotting.md",
        ],
    },
    Template {
        name: "round-table",
        what: "two sides argue a question at once, and a judge decides",
        topology: "round-table",
        without: &["tools.performance", "tools.email", "checks.campaign_qa", "tools.market", "tools.articles"],
        files: shipped![
            "callsheet.toml",
            "topologies/round-table.toml",
            "agents/chair.toml",
            "agents/chair.md",
            "agents/side.toml",
            "agents/side.md",
            "agents/judge.toml",
            "agents/judge.md",
            "schemas/case.json",
            "schemas/verdict.json",
            "rehearsals/round-table.toml",
        ],
    },
];

impl Template {
    /// The template of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    /// Its files, as they are written.
    pub fn files(&self) -> Vec<File> {
        let text = |path: &str, text: &str| match path {
            "callsheet.toml" => without(text, self.without),
            _ => text.to_owned(),
        };
        self.files.iter().map(|(path, whole)| ((*path).to_owned(), text(path, whole))).collect()
    }
}

/// The text of a TOML file without these tables, those below them, and the comments right above them.
fn without(text: &str, tables: &[&str]) -> String {
    let (mut kept, mut comments, mut is_kept) = (String::new(), String::new(), true);
    for line in text.split_inclusive('\n') {
        if line.starts_with('#') {
            comments.push_str(line);
            continue;
        }
        // What goes on after the bracket stands within a text.
        let header = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let header = header.filter(|(_, after)| after.trim().is_empty() || after.trim_start().starts_with('#'));
        if let Some((header, _)) = header {
            let is_of =
                |table: &&str| header == *table || header.strip_prefix(table).is_some_and(|r| r.starts_with('.'));
            is_kept = !tables.iter().any(is_of);
        }
        let comments = std::mem::take(&mut comments);
        if is_kept {
            kept.push_str(&comments);
            kept.push_str(line);
        }
    }
    format!("{}\n", kept.trim_end())
}

/// What is written beside every project: state and results are no part of it.
pub const IGNORED: (&str, &str) = (".gitignore", ".callsheet/\nout/\n");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_left_out_with_what_belongs_to_them() {
        let text = "# top\nschema_version = 1\n\n# about a\n[a]\nx = 1\n\n[a.b]\ny = \"\"\"\n[no] matter\n\"\"\"\n\n# about ab\n[ab]\nz = 2\n";
        assert_eq!(without(text, &["a"]), "# top\nschema_version = 1\n\n# about ab\n[ab]\nz = 2\n");
        assert_eq!(without(text, &["ab"]).matches("about").count(), 1);
        assert_eq!(without(text, &[]), text);
    }
}
