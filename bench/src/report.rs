//! Tables and the numbers in them.

use comfy_table::{Table, presets};
use std::time::Duration;

/// Prints a table under a title.
pub(crate) fn print<const N: usize>(title: &str, header: [&str; N], rows: Vec<[String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.to_vec());
    }
    println!("{title}\n{table}\n");
}

/// The middle of some numbers, and the largest.
pub(crate) fn median_and_worst(mut numbers: Vec<f64>) -> (f64, f64) {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN);
    (middle, numbers.last().copied().unwrap_or(f64::NAN))
}

/// Whether a limit was kept.
pub(crate) fn verdict(is_kept: bool) -> String {
    if is_kept { "kept" } else { "MISSED" }.to_owned()
}

/// A count with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// How many of `operations` a second.
pub(crate) fn per_second(operations: usize, span: Duration) -> f64 {
    operations as f64 / span.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::{count, median_and_worst};

    #[test]
    fn thousands_are_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1 000", "1 234 567"]
        );
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median_and_worst(vec![3.0, 1.0, 2.0]), (2.0, 3.0));
    }
}
