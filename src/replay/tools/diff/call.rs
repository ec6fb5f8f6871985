//! Two recordings of one call, event by event.

use alloc::{format, string::String, vec::Vec};

use super::report::DiffOptions;
use crate::{
    abi::inspect::{Field, Fields},
    host::tape::Recorded,
    replay::{
        explain::{
            difference::{self, Compared, Difference, bytes_difference, end_difference, shown},
            divergence::{Cause, Side},
            names::Names,
        },
        run::{
            compare::{Found, fuel_left},
            read_calls::Call,
        },
    },
    trace::{CallOut, Data, Digest, Event, HostCallEvent},
};

/// Two calls that belong together.
pub(super) struct Pair<'c> {
    pub(super) options: DiffOptions,
    /// Names in the expected trace, and in the other one.
    pub(super) names: (&'c Names, &'c Names),
    /// The modules are not the same.
    pub(super) changed: bool,
    /// The first difference that does not show: of time, fuel or memory.
    pub(super) quiet: Option<Found>,
}

/// Whether two byte strings are the same, as far as their traces can tell.
pub(super) fn same(a: &Data<'_>, b: &Data<'_>) -> bool {
    match (a, b) {
        (Data::Full(bytes), Data::Digest { digest, len })
        | (Data::Digest { digest, len }, Data::Full(bytes)) => {
            bytes.len() as u64 == u64::from(*len) && Digest::of(bytes) == *digest
        }
        _ => a == b,
    }
}

/// What differs in two byte strings: the field or the byte, if both are there.
fn data_difference(
    what: &str,
    a: &Data<'_>,
    b: &Data<'_>,
    fields: impl Fn(bool, &[u8]) -> Option<Vec<Field>>,
) -> Difference {
    if let (Data::Full(a), Data::Full(b)) = (a, b) {
        return bytes_difference(what, a, b, (fields(true, a), fields(false, b)));
    }
    let text = |data: &Data<'_>| {
        Fields::of(data).first().map(|field| field.value.clone()).unwrap_or_default()
    };
    Difference::of_values(what, text(a), text(b))
}

impl Pair<'_> {
    /// The first difference that shows; what does not is kept in `quiet`.
    pub(super) fn compare(&mut self, a: &Call, b: &Call) -> Option<Found> {
        if let (Event::CallIn(begun), Event::CallIn(again)) = (a.begin.event(), b.begin.event()) {
            if !same(&begun.input, &again.input) {
                let difference = data_difference("input", &begun.input, &again.input, |_, _| None);
                return Some(found(&a.begin, None, difference, Cause::DifferentInput));
            }
            self.times(&a.begin, begun.time_us, again.time_us);
        }
        let compared = |event: &&Recorded| !matches!(event.event(), Event::Slice(_));
        let (mut rest_a, mut rest_b) =
            (a.events.iter().filter(compared), b.events.iter().filter(compared));
        let found = loop {
            let found = match (rest_a.next(), rest_b.next()) {
                (None, None) => break None,
                (Some(x), None) => Some(self.alone(x, &b.end, Cause::Missing)),
                (None, Some(y)) => Some(self.alone(&a.end, y, Cause::Extra)),
                (Some(x), Some(y)) => match (x.event(), y.event()) {
                    (Event::HostCall(left), Event::HostCall(right)) => self
                        .asked(x, &left, &right, rest_a.clone(), rest_b.clone())
                        .or_else(|| self.answered(x, &left, &right)),
                    (Event::Growth(left), Event::Growth(right)) if left == right => None,
                    (left, right) => {
                        let (left, right) =
                            (shown(self.names.0, &left), shown(self.names.1, &right));
                        let difference = Difference::of_values("event", left, right);
                        Some(found(x, None, difference, Cause::Memory))
                    }
                },
            };
            if found.is_some() {
                break found;
            }
        };
        found.or_else(|| self.ends(a, b))
    }

    /// What a plugin does on the same answers.
    fn otherwise(&self) -> Cause {
        if self.changed { Cause::PluginChanged } else { Cause::DifferentRequest }
    }

    fn asked<'r>(
        &self,
        x: &Recorded,
        left: &HostCallEvent<'_>,
        right: &HostCallEvent<'_>,
        mut rest_a: impl Iterator<Item = &'r Recorded>,
        mut rest_b: impl Iterator<Item = &'r Recorded>,
    ) -> Option<Found> {
        let functions =
            (self.names.0.function(left.function), self.names.1.function(right.function));
        let is = |names: &Names, recorded: &Recorded, name: &str, call: &HostCallEvent<'_>| {
            matches!(recorded.event(), Event::HostCall(other)
                if names.function(other.function) == name && same(&other.request, &call.request))
        };
        let function = Some(functions.1.clone());
        let differ = functions.0 != functions.1;
        if differ || !same(&left.request, &right.request) {
            let cause = if rest_a.any(|later| is(self.names.0, later, &functions.1, right)) {
                Cause::Missing
            } else if rest_b.any(|later| is(self.names.1, later, &functions.0, left)) {
                Cause::Extra
            } else {
                self.otherwise()
            };
            let mut difference = match differ {
                true => Difference::of_values("function", functions.0, functions.1),
                false => {
                    data_difference("request", &left.request, &right.request, |a, bytes| match a {
                        true => difference::request(self.names.0, left.function, bytes),
                        false => difference::request(self.names.1, right.function, bytes),
                    })
                }
            };
            difference.expected.fuel_left = Some(left.fuel_left);
            difference.got.fuel_left = Some(right.fuel_left);
            return Some(found(x, function, difference, cause));
        }
        if left.capacity != right.capacity {
            let difference =
                Difference::of_values("response capacity", left.capacity, right.capacity);
            return Some(found(x, function, difference, self.otherwise()));
        }
        None
    }

    fn answered(
        &mut self,
        x: &Recorded,
        left: &HostCallEvent<'_>,
        right: &HostCallEvent<'_>,
    ) -> Option<Found> {
        let failed = left.status < 0 || right.status < 0;
        let difference = if failed && left.status != right.status {
            let text = |status| match status {
                0.. => format!("{status} bytes"),
                _ => format!("{status} ({})", crate::abi::Status::from_code(status).as_str()),
            };
            Some(Difference::of_values("status", text(left.status), text(right.status)))
        } else if !same(&left.response, &right.response) {
            let fields = |first, bytes: &[u8]| {
                let (names, call) =
                    if first { (self.names.0, left) } else { (self.names.1, right) };
                difference::response(names, call.function, call.request.bytes()?, bytes)
            };
            Some(data_difference("response", &left.response, &right.response, fields))
        } else if left.status != right.status {
            Some(Difference::of_values("status", left.status, right.status))
        } else if left.stop != right.stop {
            Some(Difference::of_values("stop", left.stop.as_str(), right.stop.as_str()))
        } else if left.rows != right.rows {
            Some(Difference::of_values("rows", left.rows, right.rows))
        } else {
            None
        };
        let function = Some(self.names.0.function(left.function));
        if let Some(mut difference) = difference {
            difference.expected.fuel_left = Some(left.fuel_left);
            difference.got.fuel_left = Some(right.fuel_left);
            return Some(found(x, function, difference, Cause::DifferentAnswer));
        }
        self.fuels(x, "fuel_left", left.fuel_left, right.fuel_left);
        self.fuels(x, "fuel_host", left.fuel_host, right.fuel_host);
        self.times(x, left.time_us, right.time_us);
        None
    }

    fn ends(&mut self, a: &Call, b: &Call) -> Option<Found> {
        let slices = |call: &Call| -> Vec<u64> {
            let fuel = |event: &Recorded| {
                if let Event::Slice(slice) = event.event() { Some(slice.fuel_left) } else { None }
            };
            call.events.iter().filter_map(fuel).collect()
        };
        let (left, right) = (slices(a), slices(b));
        if let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) {
            let fuel = |of: &[u64]| of.get(at).copied().unwrap_or(0);
            self.fuels(&a.end, "slice", fuel(&left), fuel(&right));
        }
        let (Event::CallOut(left), Event::CallOut(right)) = (a.end.event(), b.end.event()) else {
            return None;
        };
        if left.ending == right.ending
            && left.code == right.code
            && !same(&left.output, &right.output)
        {
            let mut difference =
                data_difference("output", &left.output, &right.output, |_, _| None);
            difference.expected.fuel_left = Some(left.fuel_left);
            difference.got.fuel_left = Some(right.fuel_left);
            return Some(found(&a.end, None, difference, self.otherwise()));
        }
        let compared =
            Compared { ending: true, trap: true, fuel: !self.options.ignore_fuel, memory: true };
        // What is left of the outputs is the same.
        let without = |call: CallOut<'_>| CallOut { output: Data::EMPTY, ..call };
        let outputs = if left.ending == right.ending {
            (without(left), without(right))
        } else {
            (left, right)
        };
        let (difference, quiet) = end_difference(&outputs.0, &outputs.1, compared)?;
        let cause = quiet.unwrap_or_else(|| self.otherwise());
        let found = found(&a.end, None, difference, cause);
        match quiet {
            Some(_) => {
                self.keep(found);
                None
            }
            None => Some(found),
        }
    }

    /// An event that only one of the traces has.
    fn alone(&self, x: &Recorded, y: &Recorded, cause: Cause) -> Found {
        let (left, right) = (x.event(), y.event());
        let alone = if cause == Cause::Missing { &left } else { &right };
        let names = if cause == Cause::Missing { self.names.0 } else { self.names.1 };
        let function = if let Event::HostCall(call) = alone {
            Some(names.function(call.function))
        } else {
            None
        };
        let side =
            |names, event| Side { fuel_left: fuel_left(event), ..Side::of(shown(names, event)) };
        let difference = Difference {
            field: Some("event".into()),
            expected: side(self.names.0, &left),
            got: side(self.names.1, &right),
        };
        found(x, function, difference, cause)
    }

    fn fuels(&mut self, x: &Recorded, field: &str, left: u64, right: u64) {
        if left != right && !self.options.ignore_fuel {
            self.keep(found(x, None, Difference::of_values(field, left, right), Cause::Fuel));
        }
    }

    fn times(&mut self, x: &Recorded, left: u64, right: u64) {
        if left != right && !self.options.ignore_time {
            self.keep(found(x, None, Difference::of_values("time_us", left, right), Cause::Time));
        }
    }

    fn keep(&mut self, found: Found) {
        if self.quiet.is_none() {
            self.quiet = Some(found);
        }
    }
}

fn found(x: &Recorded, function: Option<String>, difference: Difference, cause: Cause) -> Found {
    Found { event: x.number, function, difference, cause, because: String::new() }
}
