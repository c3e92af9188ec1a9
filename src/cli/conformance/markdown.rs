//! A numbered document in Markdown.

/// The document so far.
#[derive(Default)]
pub(super) struct Document {
    text: String,
    headings: Vec<Heading>,
    /// Where the table of contents goes, once all headings are known.
    contents_at: Option<usize>,
    tables: usize,
}

struct Heading {
    depth: usize,
    text: String,
}

/// Headings this deep stand in the table of contents.
const DEPTH_OF_CONTENTS: usize = 2;

impl Document {
    /// The title.
    pub(super) fn title(&mut self, text: &str) {
        self.block(&format!("# {text}"));
    }

    /// A heading; its depth is that of its number, `5.2.1` being three deep.
    pub(super) fn heading(&mut self, number: &str, text: &str) {
        let depth = number.split('.').count();
        let text = format!("{number} {text}");
        self.block(&format!("{} {text}", "#".repeat(depth + 1)));
        self.headings.push(Heading { depth, text });
    }

    /// An annex or a part of one: `A.B` is one deep.
    pub(super) fn annex(&mut self, number: &str, text: &str) {
        let text = format!("Annex {number} {text}");
        self.block(&format!("## {text}"));
        self.headings.push(Heading { depth: 1, text });
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.block(text);
    }

    /// A list.
    pub(super) fn list<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) {
        let lines: Vec<_> = items.into_iter().map(|i| format!("- {}", i.as_ref())).collect();
        self.block(&lines.join("\n"));
    }

    /// Text as it stands.
    pub(super) fn drawing(&mut self, text: &str) {
        self.block(&format!("```text\n{text}\n```"));
    }

    /// A table with its caption; one without rows says so.
    pub(super) fn table<const N: usize>(
        &mut self,
        caption: &str,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        self.tables += 1;
        self.block(&format!("**Table {}: {caption}**", self.tables));
        let mut lines = vec![
            line(head.map(str::to_owned)),
            line(head.map(|_| "---".to_owned())),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|cells| line(cells.map(|c| cell(&c))))
            .collect();
        if rows.is_empty() {
            lines.push(line(head.map(|_| "none".to_owned())));
        }
        lines.extend(rows);
        self.block(&lines.join("\n"));
    }

    /// Section 2, the table of contents.
    pub(super) fn contents(&mut self) {
        self.heading("2", "Table of Contents");
        self.contents_at = Some(self.text.len());
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        let lines: Vec<_> = self
            .headings
            .iter()
            .filter(|h| h.depth <= DEPTH_OF_CONTENTS)
            .map(|h| format!("{}- [{}](#{})", "  ".repeat(h.depth - 1), h.text, anchor(&h.text)))
            .collect();
        if let Some(at) = self.contents_at {
            self.text.insert_str(at, &format!("{}\n\n", lines.join("\n")));
        }
        let mut text = self.text.trim_end().to_owned();
        text.push('\n');
        text
    }

    fn block(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }
}

fn line<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// What a cell cannot hold as it is; names of routes are free text.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// The anchor that readers of Markdown give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_numbered_by_depth_and_listed() {
        let mut document = Document::default();
        document.title("T");
        document.contents();
        document.heading("4.1", "Who speaks");
        document.heading("4.1.1", "Deeper");
        let text = document.finish();
        assert!(text.contains("  - [4.1 Who speaks](#41-who-speaks)\n"), "{text}");
        assert!(
            text.contains("### 4.1 Who speaks\n\n#### 4.1.1 Deeper\n"),
            "{text}"
        );
        assert!(!text.contains("[4.1.1"), "{text}");
    }

    #[test]
    fn a_cell_stays_a_cell() {
        let mut document = Document::default();
        document.table("c", ["a", "b"], [["x|y".to_owned(), "1\n2".to_owned()]]);
        document.table("d", ["a"], []);
        let text = document.finish();
        assert!(
            text.contains("| a | b |\n| --- | --- |\n| x\\|y | 1 2 |\n"),
            "{text}"
        );
        assert!(
            text.contains("**Table 2: d**\n\n| a |\n| --- |\n| none |\n"),
            "{text}"
        );
    }
}
