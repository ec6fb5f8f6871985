//! The language of shapes, from text.

use std::{collections::BTreeMap, fmt};

use super::kinds::{Shape, Signature};

/// How deep shapes may be nested in each other.
const MAX_DEPTH: u32 = 32;

/// The most parts that a shape may have, arrays multiplied out: bounds the time that reading bytes
/// of it takes, as its parts may take no bytes.
const MAX_PARTS: u64 = 100_000;

/// What is wrong with a description of types, and where; counted from 1, columns in characters.
#[derive(Debug, PartialEq, Eq)]
pub struct ShapeError {
    pub line: u32,
    pub column: u32,
    pub problem: String,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

/// Reads `input -> output`.
pub fn signature(text: &str) -> Result<Signature, ShapeError> {
    let mut parser = Parser::new(text);
    let signature = parser.signature()?;
    parser.end()?;
    Ok(signature)
}

/// Reads any number of `entry: input -> output` and `Alias = shape`.
pub fn types(text: &str) -> Result<BTreeMap<String, Signature>, ShapeError> {
    let mut parser = Parser::new(text);
    let mut signatures = BTreeMap::new();
    while parser.peek().is_some() {
        let start = parser.at;
        let name = parser.name("the name of an entry point or of a type")?;
        if parser.take('=') {
            let shape = parser.shape(0)?;
            if parser.aliases.insert(name.clone(), shape).is_some() {
                return Err(parser.error_at(start, format!("the type {name} is defined twice")));
            }
        } else {
            parser.expect(':', "a : or = after the name")?;
            let signature = parser.signature()?;
            if signatures.insert(name.clone(), signature).is_some() {
                return Err(parser.error_at(start, format!("{name} is defined twice")));
            }
        }
    }
    Ok(signatures)
}

/// A shape, and what it costs.
#[derive(Clone)]
struct Parsed {
    shape: Shape,
    /// How many parts it has.
    parts: u64,
    /// How deep they are nested.
    depth: u32,
}

impl Parsed {
    fn new(shape: Shape) -> Self {
        Self { shape, parts: 1, depth: 0 }
    }

    /// The shape that `make` makes of these, with a name for each.
    fn of<N>(inner: Vec<(N, Self)>, make: impl FnOnce(Vec<(N, Shape)>) -> Shape) -> Self {
        let parts = inner.iter().fold(1, |sum: u64, (_, part)| sum.saturating_add(part.parts));
        let depth = inner.iter().map(|(_, part)| part.depth + 1).max().unwrap_or(0);
        let shapes = inner.into_iter().map(|(name, part)| (name, part.shape)).collect();
        Self { shape: make(shapes), parts, depth }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    aliases: BTreeMap<String, Parsed>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0, aliases: BTreeMap::new() }
    }

    fn error_at(&self, at: usize, problem: String) -> ShapeError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        ShapeError { line: number(line), column: number(column), problem }
    }

    fn expected(&mut self, what: &str) -> ShapeError {
        let found = match self.peek() {
            None => "the end".to_string(),
            Some(c) => format!("{c:?}"),
        };
        self.error_at(self.at, format!("expected {what}, found {found}"))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not space or comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let next = self.rest().chars().next()?;
            if next == '#' {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else if next.is_whitespace() {
                self.at += next.len_utf8();
            } else {
                return Some(next);
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn expect(&mut self, wanted: char, what: &str) -> Result<(), ShapeError> {
        if self.take(wanted) { Ok(()) } else { Err(self.expected(what)) }
    }

    fn end(&mut self) -> Result<(), ShapeError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("the end")) }
    }

    fn name(&mut self, what: &str) -> Result<String, ShapeError> {
        let first = self.peek();
        let rest = self.rest();
        let len =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if len == 0 || first.is_some_and(|c| c.is_ascii_digit()) {
            return Err(self.expected(what));
        }
        self.at += len;
        Ok(rest.get(..len).unwrap_or_default().into())
    }

    fn number(&mut self) -> Result<u32, ShapeError> {
        self.peek();
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        match rest.get(..len).unwrap_or_default().parse() {
            Ok(number) => {
                self.at += len;
                Ok(number)
            }
            Err(_) => Err(self.expected("a count of 0 to 4294967295")),
        }
    }

    fn signature(&mut self) -> Result<Signature, ShapeError> {
        let input = self.shape(0)?.shape;
        self.expect('-', "->")?;
        self.expect('>', "->")?;
        Ok(Signature { input, output: self.shape(0)?.shape })
    }

    /// A shape inside `depth` others.
    fn shape(&mut self, depth: u32) -> Result<Parsed, ShapeError> {
        let next = self.peek();
        let start = self.at;
        let too_deep = |this: &Self| {
            this.error_at(start, format!("shapes are nested deeper than {MAX_DEPTH}"))
        };
        if depth > MAX_DEPTH {
            return Err(too_deep(self));
        }
        let parsed = match next {
            Some('?') => {
                self.take('?');
                Parsed::of(vec![((), self.shape(depth + 1)?)], |inner| {
                    Shape::Option(Box::new(only(inner)))
                })
            }
            Some('[') => self.list(depth)?,
            Some('(') => {
                self.take('(');
                let items =
                    self.separated(',', ')', |parser| Ok(((), parser.shape(depth + 1)?)))?;
                Parsed::of(items, |items| match items.len() {
                    0 => Shape::Unit,
                    _ => Shape::Tuple(items.into_iter().map(|((), shape)| shape).collect()),
                })
            }
            Some('{') => {
                self.take('{');
                let fields = self.separated(',', '}', |parser| {
                    let name = parser.name("the name of a field")?;
                    parser.expect(':', "a : after the name of the field")?;
                    Ok((name, parser.shape(depth + 1)?))
                })?;
                Parsed::of(fields, Shape::Struct)
            }
            Some('<') => self.variants(depth)?,
            _ => self.named()?,
        };
        if depth + parsed.depth > MAX_DEPTH {
            return Err(too_deep(self));
        }
        if parsed.parts > MAX_PARTS {
            let problem = format!("a shape has more than {MAX_PARTS} parts");
            return Err(self.error_at(start, problem));
        }
        Ok(parsed)
    }

    /// `[shape]` or `[shape; count]`.
    fn list(&mut self, depth: u32) -> Result<Parsed, ShapeError> {
        self.take('[');
        let item = self.shape(depth + 1)?;
        let len = if self.take(';') { Some(self.number()?) } else { None };
        self.expect(']', "] or ; after the shape of the items")?;
        let parts = item.parts.saturating_mul(len.unwrap_or(1).into());
        let list = Parsed::of(vec![((), item)], |inner| {
            let item = Box::new(only(inner));
            match len {
                None => Shape::List(item),
                Some(len) => Shape::Array(item, len),
            }
        });
        Ok(Parsed { parts: parts.saturating_add(1), ..list })
    }

    /// `<Name | Name shape>`.
    fn variants(&mut self, depth: u32) -> Result<Parsed, ShapeError> {
        let start = self.at;
        self.take('<');
        let variants = self.separated('|', '>', |parser| {
            let name = parser.name("the name of a variant")?;
            let bare = matches!(parser.peek(), Some('|' | '>'));
            let inner = if bare { Parsed::new(Shape::Unit) } else { parser.shape(depth + 1)? };
            Ok(((name, bare), inner))
        })?;
        if variants.is_empty() {
            return Err(self.error_at(start, "an enumeration has no variants".into()));
        }
        Ok(Parsed::of(variants, |variants| {
            let variant = |((name, bare), shape)| (name, if bare { None } else { Some(shape) });
            Shape::Enum(variants.into_iter().map(variant).collect())
        }))
    }

    fn separated<T>(
        &mut self,
        separator: char,
        end: char,
        mut item: impl FnMut(&mut Self) -> Result<T, ShapeError>,
    ) -> Result<Vec<T>, ShapeError> {
        let mut items = Vec::new();
        loop {
            if self.take(end) {
                return Ok(items);
            }
            items.push(item(self)?);
            if !self.take(separator) {
                self.expect(end, &format!("{separator} or {end}"))?;
                return Ok(items);
            }
        }
    }

    /// A shape that is a word.
    fn named(&mut self) -> Result<Parsed, ShapeError> {
        let start = self.at;
        let name = self.name("a shape")?;
        let shape = match &*name {
            "bool" => Shape::Bool,
            "u8" => Shape::Unsigned(8),
            "u16" => Shape::Unsigned(16),
            "u32" => Shape::Unsigned(32),
            "u64" => Shape::Unsigned(64),
            "i8" => Shape::Signed(8),
            "i16" => Shape::Signed(16),
            "i32" => Shape::Signed(32),
            "i64" => Shape::Signed(64),
            "f32" => Shape::F32,
            "f64" => Shape::F64,
            "bytes" => Shape::Bytes,
            "value" => Shape::Value,
            "str" if self.rest().starts_with('[') => {
                self.take('[');
                let len = self.number()?;
                self.expect(']', "] after the length")?;
                Shape::TextOf(len)
            }
            "str" => Shape::Text,
            _ => match self.aliases.get(&name) {
                Some(alias) => return Ok(alias.clone()),
                None => {
                    let problem = format!("there is no shape {name}");
                    return Err(self.error_at(start, problem));
                }
            },
        };
        Ok(Parsed::new(shape))
    }
}

/// The shape of a list of one.
fn only(shapes: Vec<((), Shape)>) -> Shape {
    shapes.into_iter().next().map_or(Shape::Unit, |((), shape)| shape)
}
