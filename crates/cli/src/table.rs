//! Columns for people.

use plimsoll_source::printable_line;

/// Lines of cells with aligned columns; two spaces between them, none at the end. Cells hold names and messages of others.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| std::array::from_fn(|at| printable_line(&row[at]).into_owned())).collect();
    let all = || std::iter::once(&head).chain(&rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Bytes in the largest unit that keeps a digit before the point: `12.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let rows = [["long".to_owned(), String::new()], ["b".to_owned(), "2".to_owned()]];
        assert_eq!(table(["A", "B"], &rows), "A     B\nlong\nb     2\n");
        assert_eq!(
            (bytes(0), bytes(1536), bytes(5 << 30)),
            ("0 B".into(), "1.5 KiB".into(), "5.0 GiB".into())
        );
    }
}
