//! What do Java's values mean when they meet? Numbers of three kinds, text that is read as one of them, and their order.
//!
//! Follows `ComparisonExpression.__compare`, and `Integer`, `Long` and `Double.valueOf` for the texts they accept.

use std::cmp::Ordering;

/// Java throws while evaluating: the message is not wanted, even if the rest of the expression is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unevaluable;

/// A value during evaluation; a missing one is `None` around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Of a condition.
    Truth(bool),
    /// Of a literal.
    Number(Number),
    /// Of a property or a literal.
    Text(&'a str),
}

/// A number; the kind decides how a text is read that is compared with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A literal without a point, of 32 bits.
    Integer(i32),
    /// A literal without a point, of 64 bits.
    Long(i64),
    /// A literal with a point or an exponent.
    Double(f64),
}

impl Value<'_> {
    /// How this stands to the other. As in Java, values that cannot be compared count as less.
    pub fn order(self, other: Value<'_>) -> Result<Ordering, Unevaluable> {
        Ok(match (self, other) {
            (Value::Truth(left), Value::Truth(right)) => left.cmp(&right),
            (Value::Number(left), Value::Number(right)) => left.order(right),
            (Value::Text(left), Value::Text(right)) => left.cmp(right),
            (Value::Number(left), Value::Text(right)) => left.order(left.alike(right)?),
            (Value::Text(left), Value::Number(right)) => right.alike(left)?.order(right),
            (Value::Text(left), Value::Truth(right)) => left.eq_ignore_ascii_case("true").cmp(&right),
            // Java 5.5.0 casts the wrong side here and throws.
            (Value::Truth(left), Value::Text(right)) => left.cmp(&right.eq_ignore_ascii_case("true")),
            (Value::Truth(_), Value::Number(_)) | (Value::Number(_), Value::Truth(_)) => Ordering::Less,
        })
    }
}

impl Number {
    /// A text as a `Double`.
    pub fn double(text: &str) -> Result<Number, Unevaluable> {
        double(text).map(Number::Double).ok_or(Unevaluable)
    }

    /// A text as a number of the same kind.
    fn alike(self, text: &str) -> Result<Number, Unevaluable> {
        match self {
            Number::Integer(_) => long(text).and_then(|long| i32::try_from(long).ok()).map(Number::Integer),
            Number::Long(_) => long(text).map(Number::Long),
            Number::Double(_) => double(text).map(Number::Double),
        }
        .ok_or(Unevaluable)
    }

    /// As Java's `compareTo`: -0.0 is less than 0.0, and `NaN` is equal to itself and greater than all others.
    pub fn order(self, other: Number) -> Ordering {
        match (self.whole(), other.whole()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.widened().total_cmp(&other.widened()),
        }
    }

    /// The number with the other sign, in its own kind.
    pub fn negated(self) -> Number {
        match self {
            Number::Integer(number) => Number::Integer(number.wrapping_neg()),
            Number::Long(number) => Number::Long(number.wrapping_neg()),
            Number::Double(number) => Number::Double(-number),
        }
    }

    fn whole(self) -> Option<i64> {
        match self {
            Number::Integer(number) => Some(i64::from(number)),
            Number::Long(number) => Some(number),
            Number::Double(_) => None,
        }
    }

    fn widened(self) -> f64 {
        match self {
            Number::Integer(number) => f64::from(number),
            Number::Long(number) => number as f64,
            Number::Double(number) => number,
        }
    }
}

/// `Long.valueOf`: a sign, and decimal digits of any script; nothing else, not even blanks.
fn long(text: &str) -> Option<i64> {
    let (negative, digits) = signed(text);
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0i64, |number, char| {
        let digit = i64::from(digit(char)?);
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    })
}

/// `Character.digit(char, 10)` of one UTF-16 unit.
fn digit(char: char) -> Option<u16> {
    let unit = u16::try_from(u32::from(char)).ok()?;
    let zero = match DIGIT_ZEROS.binary_search(&unit) {
        Ok(at) => DIGIT_ZEROS[at],
        Err(at) => DIGIT_ZEROS[at.checked_sub(1)?],
    };
    (unit - zero < 10).then_some(unit - zero)
}

/// `Double.valueOf`: decimal or hexadecimal, `NaN` and `Infinity`, a suffix of `f` or `d`, blanks and controls around it.
fn double(text: &str) -> Option<f64> {
    let (negative, number) = signed(text.trim_matches(|char| char <= ' '));
    let number = match number {
        "NaN" => return Some(NAN),
        "Infinity" => f64::INFINITY,
        _ if number.starts_with("0x") || number.starts_with("0X") => hexadecimal(&number[2..])?,
        _ => decimal(number)?,
    };
    Some(if negative { -number } else { number })
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn decimal(text: &str) -> Option<f64> {
    let text = without_suffix(text);
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, signed(exponent).1),
        None => (text, "0"),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = is_digits(whole) && is_digits(fraction) && is_digits(exponent);
    if !is_number || exponent.is_empty() || whole.len() + fraction.len() == 0 {
        return None;
    }
    text.parse().ok()
}

fn without_suffix(text: &str) -> &str {
    text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text)
}

/// The text behind `0x`: digits, perhaps with a point, and an exponent of two that must be there. Rounded to the nearest, ties to even.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (exponent_negative, exponent) = signed(without_suffix(exponent));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.')
        && !fraction.contains('.')
        && whole.len() + fraction.len() > 0
        && !exponent.is_empty()
        && exponent.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    let exponent = exponent.bytes().fold(0i64, |number, byte| (number * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX));
    let mut power = if exponent_negative { -exponent } else { exponent };
    // The first 15 digits that count, and whether anything but zeros stands behind them.
    let mut bits = 0u64;
    let mut more = false;
    for (at, digit) in whole.chars().chain(fraction.chars()).filter_map(|char| char.to_digit(16)).enumerate() {
        let is_fraction = at >= whole.len();
        if bits >> 56 == 0 {
            bits = bits << 4 | u64::from(digit);
            power -= i64::from(is_fraction) * 4;
        } else {
            more |= digit != 0;
            power += i64::from(!is_fraction) * 4;
        }
    }
    Some(scaled(bits << 1 | u64::from(more), power - 1))
}

/// `bits * 2^power`, rounded once; the lowest bit may stand for everything behind it.
fn scaled(bits: u64, power: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let len = i64::from(u64::BITS - bits.leading_zeros());
    let top = power + len - 1;
    if top > 1023 {
        return f64::INFINITY;
    }
    // Bits that a double of this size has room for: fewer below the smallest normal one.
    let room = if top >= -1022 { 53 } else { 53 + 1022 + top };
    if room < 0 {
        return 0.0;
    }
    let cut = (len - room).max(0);
    let (kept, rest) = if cut == 0 { (bits, 0) } else { (bits >> cut, bits & ((1 << cut) - 1)) };
    let half = if cut == 0 { 1 } else { 1 << (cut - 1) };
    let rounded = kept + u64::from(rest > half || (rest == half && kept & 1 == 1));
    rounded as f64 * power_of_two(power + cut)
}

/// Exact, for a power from -1074 to 1023.
fn power_of_two(power: i64) -> f64 {
    let bits = if power >= -1022 { ((power + 1023) as u64) << 52 } else { 1 << (power + 1074) };
    f64::from_bits(bits)
}

/// Java's `NaN`, with its sign.
const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);
/// More than the digits of any text can balance.
const EXPONENT_MAX: i64 = 1 << 40;
/// The zeros of all scripts of the basic plane that have decimal digits (Unicode 13, as Java 17 knows them).
const DIGIT_ZEROS: [u16; 37] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0,
    0xaa50, 0xabf0, 0xff10,
];
