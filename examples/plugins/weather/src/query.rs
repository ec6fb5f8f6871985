//! Questions about the days that are there.

use core::ops::ControlFlow;

use heapless::Vec;
use sochdb_wasmi::guest::{
    Bound, HostHandle, IndexQuery, RawText, SearchRequest, Seq, Status, Value,
};

use crate::{
    calendar, ingest,
    types::{Date, MAX_SIMILAR, MAX_SPELLS, MonthReport, Similar, SimilarQuery, Spell, SpellQuery},
};

/// The first spells of consecutive rainy days, by date.
pub fn rainy_spells(
    host: &mut HostHandle<'_>,
    query: SpellQuery<'_>,
) -> Result<Vec<Spell, MAX_SPELLS>, Status> {
    if query.min_days == 0 {
        return Err(Status::InvalidArgs);
    }
    let from = query.from.map(|date| [Value::Text(date)]);
    let until = query.until.map(|date| [Value::Text(date)]);
    let range = IndexQuery::Range {
        lower: from.as_ref().map_or(Bound::Unbounded, |key| Bound::Included(Seq::new(key))),
        upper: until.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(Seq::new(key))),
    };

    let mut spells = Vec::new();
    // The spell that is going on, and the number of its last day.
    let mut open: Option<(Spell, u32)> = None;
    let mut close = |open: Option<(Spell, u32)>| match open {
        Some((spell, _)) if spell.days >= query.min_days && spells.push(spell).is_err() => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    host.lookup("weather", "by_date", range).columns(&["date", "precipitation"]).try_for_each(
        |row| -> Result<_, Status> {
            let date = date(row.take()?)?;
            let rain: f64 = row.take()?;
            if rain < query.min_precipitation {
                return Ok(close(open.take()));
            }
            let number = calendar::day_number(&date).ok_or(Status::Error)?;
            match &mut open {
                Some((spell, last)) if *last + 1 == number => {
                    spell.days += 1;
                    spell.total += rain;
                    *last = number;
                    Ok(ControlFlow::Continue(()))
                }
                // A day is missing between them, or there was no spell.
                other => {
                    let begun = (Spell { start: date, days: 1, total: rain }, number);
                    Ok(close(other.replace(begun)))
                }
            }
        },
    )?;
    let _ = close(open);
    Ok(spells)
}

fn date(RawText(text): RawText<'_>) -> Result<Date, Status> {
    text.try_into().map(Date).map_err(|_| Status::Error)
}

/// The days most like a given one, without that one.
pub fn similar_days(
    host: &mut HostHandle<'_>,
    query: SimilarQuery<'_>,
) -> Result<Vec<Similar, MAX_SIMILAR>, Status> {
    if query.k == 0 || query.k as usize > MAX_SIMILAR {
        return Err(Status::InvalidArgs);
    }
    let key = [Value::Text(query.date)];
    let mut row = host
        .lookup("weather", "by_date", IndexQuery::Point(Seq::new(&key)))
        .columns(&["features"])
        .first()?
        .ok_or(Status::NotFound)?;
    let id = row.id();
    let features: &[u8] = row.take()?;
    let features: [u8; 16] = features.try_into().map_err(|_| Status::Error)?;

    let request = SearchRequest {
        table: "weather",
        column: "features",
        query: &features,
        // The day itself is the nearest.
        k: query.k + 1,
        filter: Seq::empty(),
        columns: Some(Seq::new(&["date"])),
    };
    let mut days = Vec::new();
    host.search_each(&request, |distance, hit| -> Result<_, Status> {
        if hit.id() != id && days.len() < query.k as usize {
            let day = Similar { id: hit.id(), date: date(hit.take()?)?, distance };
            days.push(day).map_err(|_| Status::Error)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(days)
}

/// The wettest days of a kind of weather, wettest first.
pub fn wettest(
    host: &mut HostHandle<'_>,
    (kind, count): (&str, u32),
) -> Result<Vec<(Date, f64), MAX_SPELLS>, Status> {
    if count == 0 || count as usize > MAX_SPELLS {
        return Err(Status::InvalidArgs);
    }
    let key = [Value::Text(kind)];
    let mut days = Vec::new();
    host.lookup("weather", "by_kind_precipitation", IndexQuery::Point(Seq::new(&key)))
        .columns(&["date", "precipitation"])
        .reverse()
        .page_limit(count)
        .try_for_each(|row| -> Result<_, Status> {
            let date = date(row.take()?)?;
            let rain: f64 = row.take()?;
            let full = days.push((date, rain)).is_err() || days.len() >= count as usize;
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    Ok(days)
}

/// The rollup of a month.
pub fn month_report(host: &mut HostHandle<'_>, month: &str) -> Result<MonthReport, Status> {
    match ingest::find_month(host, month)? {
        Some((_, report)) => Ok(report),
        None => Err(Status::NotFound),
    }
}
