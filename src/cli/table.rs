//! Tables on a terminal.

use rustix::termios::tcgetwinsize;

/// Prints rows under a head, each column as wide as its widest cell.
pub(super) fn print_table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) {
    let widths = widths(head, rows);
    let line = |cells: Vec<&str>| {
        let padded: Vec<_> = cells
            .iter()
            .zip(&widths)
            .map(|(c, width)| format!("{c:<width$}"))
            .collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(head.to_vec());
    rows.iter()
        .for_each(|row| line(row.iter().map(String::as_str).collect()));
}

fn widths<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> Vec<usize> {
    let width = |(i, head): (usize, &&str)| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
        cells.chain([head.chars().count()]).max().unwrap_or(0)
    };
    head.iter().enumerate().map(width).collect()
}

/// Whether each row has a line of its own on this terminal; what is no terminal has lines of any length.
pub(super) fn fits<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> bool {
    let columns = tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    let line = widths(head, rows).iter().map(|width| width + 2).sum::<usize>();
    columns == 0 || line <= columns + 2
}
