//! Calendar days: whether a text is one, and which number it has.

use crate::types::Date;

/// Parses `YYYY-MM-DD` of the Gregorian calendar.
pub fn parse(text: &str) -> Option<Date> {
    let bytes: [u8; 10] = text.as_bytes().try_into().ok()?;
    let date = Date(bytes);
    let (year, month, day) = fields(&date)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=length).contains(&day).then_some(date)
}

fn fields(Date(bytes): &Date) -> Option<(u32, u32, u32)> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *bytes else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    Some((number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?))
}

/// The number of a day, such that the next day has the next number; `None` for no day.
pub fn day_number(date: &Date) -> Option<u32> {
    let (year, month, day) = fields(date)?;
    // Years that begin in March have the leap day at their end, and months of 30.6 days.
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        for text in ["2012-02-29", "2000-02-29", "2015-12-31"] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "2013-02-29",
            "1900-02-29",
            "2015-04-31",
            "2015-13-01",
            "2015-00-10",
            "2015-1-10",
            "2015/01/10",
            "20150110",
            "2015-01-0x",
            "",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn consecutive_days_have_consecutive_numbers() {
        for (day, next) in [
            ("2012-02-28", "2012-02-29"),
            ("2012-02-29", "2012-03-01"),
            ("2013-02-28", "2013-03-01"),
            ("2014-12-31", "2015-01-01"),
            ("2012-07-31", "2012-08-01"),
            ("2012-09-30", "2012-10-01"),
        ] {
            let number = |text| parse(text).and_then(|date| day_number(&date));
            assert_eq!(number(day).map(|n| n + 1), number(next), "{day}");
        }
    }
}
