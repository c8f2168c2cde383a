//! Patterns of numbers within bounds: JSON Schema's own bounds do not hold for a number that is written as text.

/// A whole number from `least` to `most`, without zeros before it.
pub(crate) fn integers(least: i64, most: i64) -> String {
    let mut parts = Vec::new();
    if least < 0 {
        let nearest = if most < 0 { most.unsigned_abs() } else { 1 };
        parts.push(format!("-({})", between(nearest, least.unsigned_abs())));
    }
    if most >= 0 {
        parts.push(between(least.max(0).unsigned_abs(), most.unsigned_abs()));
    }
    parts.join("|")
}

/// A number with or without decimals from `least`, which is not below zero, to `most`.
pub(crate) fn reals(least: i64, most: i64) -> String {
    let whole = format!("{most}(\\.0+)?");
    match most.checked_sub(1) {
        Some(below) if least <= below => format!("({})(\\.[0-9]+)?|{whole}", integers(least, below)),
        _ => whole,
    }
}

fn between(least: u64, most: u64) -> String {
    let (shortest, longest) = (least.to_string(), most.to_string());
    let mut parts = Vec::new();
    for length in shortest.len()..=longest.len() {
        let low = match length == shortest.len() {
            true => shortest.clone(),
            false => format!("1{}", "0".repeat(length - 1)),
        };
        let high = match length == longest.len() {
            true => longest.clone(),
            false => "9".repeat(length),
        };
        of_one_length(&low, &high, "", &mut parts);
    }
    parts.join("|")
}

/// The numbers of as many digits from `low` to `high`, each pattern behind what both begin with.
fn of_one_length(low: &str, high: &str, begin: &str, parts: &mut Vec<String>) {
    let (Some(first), Some(last)) = (low.chars().next(), high.chars().next()) else {
        parts.push(begin.to_owned());
        return;
    };
    let (low, high) = (&low[1..], &high[1..]);
    if first == last {
        return of_one_length(low, high, &format!("{begin}{first}"), parts);
    }
    let (zeros, nines) = ("0".repeat(low.len()), "9".repeat(low.len()));
    // The digits whose numbers are all within, and the two ends where those of some are.
    let mut whole = (first, last);
    if low != zeros {
        of_one_length(low, &nines, &format!("{begin}{first}"), parts);
        whole.0 = next(first, 1);
    }
    if high != nines {
        of_one_length(&zeros, high, &format!("{begin}{last}"), parts);
        whole.1 = next(last, -1);
    }
    if whole.0 <= whole.1 {
        let rest = match low.len() {
            0 => String::new(),
            1 => "[0-9]".to_owned(),
            length => format!("[0-9]{{{length}}}"),
        };
        parts.push(format!("{begin}[{}-{}]{rest}", whole.0, whole.1));
    }
}

fn next(digit: char, step: i32) -> char {
    u32::try_from(digit as i32 + step)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(digit)
}

#[cfg(test)]
mod tests {
    use super::{integers, reals};
    use regex::Regex;

    fn whole(pattern: &str) -> Regex {
        Regex::new(&format!("^({pattern})$")).unwrap()
    }

    #[test]
    fn whole_numbers_are_within_their_bounds() {
        let bounds = [
            (0, 0),
            (0, 9),
            (1, 9),
            (0, 9_999),
            (1, 1_000),
            (0, 60_000),
            (17, 2_345),
            (-3, 12),
            (-120, -7),
            (-1, 0),
        ];
        for (least, most) in bounds {
            let pattern = whole(&integers(least, most));
            for number in -200..=70_000 {
                let is_within = (least..=most).contains(&number);
                assert_eq!(
                    pattern.is_match(&number.to_string()),
                    is_within,
                    "{number} of {least}..{most}"
                );
            }
            for text in ["", "-", "-0", "00", "1.0", "1e1", " 1"] {
                assert!(!pattern.is_match(text), "{text} of {least}..{most}");
            }
        }
        let all = whole(&integers(i64::MIN, i64::MAX));
        for number in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            assert!(all.is_match(&number.to_string()), "{number}");
        }
        assert!(!all.is_match("9223372036854775808") && !all.is_match("-9223372036854775809"));
        assert_eq!(integers(0, 9_999), "[0-9]|[1-9][0-9]|[1-9][0-9]{2}|[1-9][0-9]{3}");
    }

    #[test]
    fn numbers_with_decimals_are_within_their_bounds() {
        for (text, is_share) in [
            ("0", true),
            ("0.0", true),
            ("0.999", true),
            ("1", true),
            ("1.00", true),
            ("1.01", false),
            ("2", false),
            ("-0.1", false),
            (".5", false),
            ("0.", false),
        ] {
            assert_eq!(whole(&reals(0, 1)).is_match(text), is_share, "{text}");
        }
        let wide = whole(&reals(2, 30));
        assert!(wide.is_match("2.5") && wide.is_match("29.99") && wide.is_match("30.0"));
        assert!(!wide.is_match("1.9") && !wide.is_match("30.1"));
        let one = whole(&reals(3, 3));
        assert!(one.is_match("3.0") && !one.is_match("3.1") && !one.is_match("2.9"));
    }
}
