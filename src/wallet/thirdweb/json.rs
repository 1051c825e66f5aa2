//! Writes JSON as JavaScript does. The thirdweb package reads a token's payload, writes it again and hashes the
//! result. It rejects the token if it would write a number or the order of names in another way.

use serde_json::{Map, Number, Value};

/// The JSON contains a number that a double cannot hold, so JavaScript would change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("contains a number that JavaScript cannot represent: write it as text")]
pub struct Inexact;

/// Appends a value as `JSON.stringify` writes it.
pub(super) fn write(out: &mut String, value: &Value) -> Result<(), Inexact> {
    match value {
        Value::Number(number) => out.push_str(&self::number(number)?),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write(out, item)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, value)) in in_order(members).into_iter().enumerate() {
                separate(out, index);
                text(out, name);
                out.push(':');
                write(out, value)?;
            }
            out.push('}');
        }
        // The two agree on the rest, escapes included.
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
    Ok(())
}

/// Appends a text in quotes.
pub(super) fn text(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

/// Names that are array indices come first, by their value (ECMA-262 §10.1.11).
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| array_index(name).map_or((1, 0), |index| (0, index)));
    members
}

fn array_index(name: &str) -> Option<u32> {
    let index = name.parse::<u32>().ok()?;
    (index < u32::MAX && index.to_string() == name).then_some(index)
}

/// The shortest digits that name the double, laid out as ECMA-262 §6.1.6.1.20 has it.
fn number(number: &Number) -> Result<String, Inexact> {
    let double = number.as_f64().ok_or(Inexact)?;
    let is_exact = number.as_i64().is_none_or(|int| double as i128 == i128::from(int))
        && number.as_u64().is_none_or(|int| double as u128 == u128::from(int));
    if !is_exact || !double.is_finite() {
        return Err(Inexact);
    }
    if double == 0.0 {
        return Ok("0".into());
    }
    // Rust writes d.ddde-7 with the same, shortest digits.
    let scientific = format!("{:e}", double.abs());
    let (mantissa, exponent) = scientific.split_once('e').ok_or(Inexact)?;
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().map_err(|_| Inexact)?;
    let (count, point) = (digits.len() as i32, exponent + 1);
    let zeros = |count: i32| "0".repeat(count.unsigned_abs() as usize);
    let unsigned = match point {
        _ if (count..=21).contains(&point) => digits + &zeros(point - count),
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", zeros(point)),
        _ if count == 1 => format!("{digits}e{exponent:+}"),
        _ => format!("{mantissa}e{exponent:+}"),
    };
    Ok(if double < 0.0 { format!("-{unsigned}") } else { unsigned })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> Result<String, Inexact> {
        let mut out = String::new();
        write(&mut out, &serde_json::from_str(json).unwrap())?;
        Ok(out)
    }

    /// What node 20 answers to `JSON.stringify(JSON.parse(…))`.
    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (given, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("-12.75", "-12.75"),
            ("100", "100"),
            ("1e3", "1000"),
            ("18014398509481984", "18014398509481984"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("1.5e300", "1.5e+300"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1.25e-9", "1.25e-9"),
            ("0.1", "0.1"),
            ("9007199254740992", "9007199254740992"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            assert_eq!(written(given).as_deref(), Ok(expected), "{given}");
        }
        assert_eq!(written("[9007199254740993]"), Err(Inexact));
        assert_eq!(written("18446744073709551615"), Err(Inexact));
    }

    #[test]
    fn names_that_are_indices_come_first_by_their_value() {
        let given = r#"{"b": 1, "10": [true, null], "9": {}, "01": "a\u0001\"\n/é"}"#;
        assert_eq!(written(given).unwrap(), r#"{"9":{},"10":[true,null],"01":"a\u0001\"\n/é","b":1}"#);
    }
}
