//! `a × b ÷ c` where the product needs 256 bits.

/// The quotient of [`mul_div`].
pub(super) struct Quotient {
    pub(super) floor: u128,
    pub(super) is_exact: bool,
}

/// `a × b ÷ c`, rounded down; `None` for a zero divisor or a quotient beyond 128 bits.
pub(super) fn mul_div(a: u128, b: u128, c: u128) -> Option<Quotient> {
    if c == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(Quotient {
            floor: product / c,
            is_exact: product % c == 0,
        });
    }
    let (high, low) = wide_product(a, b);
    if high >= c {
        return None;
    }
    // Long division by bits: `remainder` stays below `c`, one bit of `low` moves in at each step.
    let (mut remainder, mut floor) = (high, 0u128);
    for bit in (0..128).rev() {
        let carry = remainder >> 127;
        remainder = (remainder << 1) | ((low >> bit) & 1);
        floor <<= 1;
        if carry == 1 || remainder >= c {
            remainder = remainder.wrapping_sub(c);
            floor |= 1;
        }
    }
    Some(Quotient {
        floor,
        is_exact: remainder == 0,
    })
}

/// The 256-bit product as its high and low halves, by schoolbook multiplication of 64-bit digits.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    let low = a_low * b_low;
    let first = a_high * b_low + (low >> 64);
    let second = a_low * b_high + (first & LOW);
    (
        a_high * b_high + (first >> 64) + (second >> 64),
        (second << 64) | (low & LOW),
    )
}

#[cfg(test)]
mod tests {
    use super::mul_div;

    #[test]
    fn a_table_of_quotients() {
        let max = u128::MAX;
        for (a, b, c, floor, is_exact) in [
            (6, 7, 2, 21, true),
            (7, 7, 2, 24, false),
            (max, max, max, max, true),
            (max, 2, 4, max / 2, false),
            (max - 1, max, max, max - 1, true),
            (1 << 100, 1 << 100, 1 << 80, 1 << 120, true),
            (
                10u128.pow(38),
                10u128.pow(20) + 1,
                10u128.pow(20),
                10u128.pow(38) + 10u128.pow(18),
                true,
            ),
            (max, max - 2, max - 1, max - 2, false),
        ] {
            let quotient = mul_div(a, b, c).unwrap();
            assert_eq!(
                (quotient.floor, quotient.is_exact),
                (floor, is_exact),
                "{a} * {b} / {c}"
            );
        }
        assert!(mul_div(1, 1, 0).is_none());
        assert!(mul_div(max, max, 1).is_none());
    }
}
