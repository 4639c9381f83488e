//! What was found, for people and for programs.

use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use super::{Judged, Verdict};

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// An array of objects.
    Json,
}

/// What all checks found.
#[derive(Debug)]
pub(crate) struct Report(Vec<Finding>);

#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    verdict: Word,
    found: String,
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Fine,
    Wrong,
    Unknown,
}

impl Report {
    pub(super) fn new(judged: Vec<(&'static str, Judged)>) -> Self {
        let finding = |(name, judged): (_, Judged)| {
            let (verdict, found, mend) = match judged {
                Ok(Verdict::Fine(found)) => (Word::Fine, found, None),
                Ok(Verdict::Wrong { found, mend }) => (Word::Wrong, found, Some(mend)),
                Err(unreadable) => (Word::Unknown, unreadable.to_string(), None),
            };
            Finding {
                name,
                verdict,
                found,
                mend,
            }
        };
        Self(judged.into_iter().map(finding).collect())
    }

    /// 0 where all is fine, 1 where something is wrong, 2 where something could not be looked at.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match () {
            () if self.count(Word::Wrong) > 0 => 1,
            () if self.count(Word::Unknown) > 0 => 2,
            () => 0,
        })
    }

    fn count(&self, word: Word) -> usize {
        self.0.iter().filter(|found| found.verdict == word).count()
    }

    /// The whole report, with a line end.
    ///
    /// # Errors
    /// When JSON cannot be made of it.
    pub(crate) fn shown(&self, format: Format) -> anyhow::Result<String> {
        Ok(match format {
            Format::Json => serde_json::to_string_pretty(&self.0)? + "\n",
            Format::Text => self.text(),
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Finding {
            name,
            verdict,
            found,
            mend,
        } in &self.0
        {
            let word = match verdict {
                Word::Fine => "fine",
                Word::Wrong => "WRONG",
                Word::Unknown => "unknown",
            };
            text += &format!("{word:<8} {name:<16} {found}\n");
            if let Some(mend) = mend {
                text += &format!("{:<8} {:<16} {mend}\n", "", "  mend it:");
            }
        }
        let (wrong, unknown) = (self.count(Word::Wrong), self.count(Word::Unknown));
        let checks = self.0.len();
        text + &match (wrong, unknown) {
            (0, 0) => format!("all {checks} checks are fine\n"),
            _ => format!(
                "{wrong} of {checks} checks found something wrong, {unknown} could not look\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::*;

    fn report(fine: usize, wrong: usize, unknown: usize) -> Report {
        let mut judged: Vec<(&'static str, Judged)> = Vec::new();
        judged.extend((0..fine).map(|_| ("a", Ok(Verdict::fine("good")))));
        judged.extend((0..wrong).map(|_| ("b", Ok(Verdict::wrong("bad", "sudo b")))));
        judged.extend((0..unknown).map(|_| ("c", Err(Machine::unknown("proc/c", "secret")))));
        Report::new(judged)
    }

    #[test]
    fn the_exit_code_tells_wrong_before_unknown() {
        for ((fine, wrong, unknown), expected) in [
            ((2, 0, 0), 0),
            ((2, 1, 1), 1),
            ((2, 0, 1), 2),
            ((0, 2, 0), 1),
        ] {
            let code = report(fine, wrong, unknown).exit_code();
            assert_eq!(code, ExitCode::from(expected), "{fine} {wrong} {unknown}");
        }
    }

    #[test]
    fn people_and_programs_are_told_the_same() {
        let text = report(1, 1, 1).shown(Format::Text).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "fine     a                good",
                "WRONG    b                bad",
                "           mend it:       sudo b",
                "unknown  c                /proc/c: secret",
                "1 of 3 checks found something wrong, 1 could not look",
            ]
        );
        assert_eq!(
            report(3, 0, 0).text().lines().last(),
            Some("all 3 checks are fine")
        );
        let json = report(1, 1, 1).shown(Format::Json).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {"name": "a", "verdict": "fine", "found": "good", "mend": null},
                {"name": "b", "verdict": "wrong", "found": "bad", "mend": "sudo b"},
                {"name": "c", "verdict": "unknown", "found": "/proc/c: secret", "mend": null},
            ])
        );
    }
}
