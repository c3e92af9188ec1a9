//! Text of others on a terminal.

/// A line that somebody else wrote, without what a terminal would act on; tabs as spaces.
pub(super) fn plain(line: &str) -> String {
    line.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_hidden(*c))
        .collect()
}

/// Characters that turn or hide what stands beside them.
const fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_terminal_would_act_on_is_dropped() {
        assert_eq!(plain("a\x1b[31mb\rc\td\u{9b}1m\u{202e}e"), "a[31mbc d1me");
    }
}
