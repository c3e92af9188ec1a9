//! Tables on a terminal.

/// Prints rows under a head, each column as wide as its widest cell.
pub(super) fn print_table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
        cells.chain(head.get(i).map(|h| h.len())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded: Vec<_> = cells
            .iter()
            .enumerate()
            .map(|(i, c)| format!("{c:<width$}", width = width(i)))
            .collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(head.to_vec());
    rows.iter()
        .for_each(|row| line(row.iter().map(String::as_str).collect()));
}
