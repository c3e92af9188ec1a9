//! Where in a JSON text a key stands.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, ParseResult, parse_to_ast};

use super::Place;

/// A JSON text with the places of its keys. Only for a text that [`serde_json`] reads: that one bounds its depth.
pub(super) struct Places<'a> {
    file: &'static str,
    text: &'a str,
    tree: Option<ParseResult<'a>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(file: &'static str, text: &'a str) -> Self {
        let tree = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok();
        Self { file, text, tree }
    }

    fn root(&self) -> Option<&Value<'a>> {
        self.tree.as_ref()?.value.as_ref()
    }

    /// The value at a path such as `resources.cpus` or `measures[2].unit`.
    fn value(&self, path: &str) -> Option<&Value<'a>> {
        let mut at = self.root()?;
        for part in path.split('.') {
            let (name, indices) = part.split_once('[').unwrap_or((part, ""));
            // Given twice, the last counts.
            at = &at
                .as_object()?
                .properties
                .iter()
                .rfind(|property| property.name.as_str() == name)?
                .value;
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                let number: usize = index.trim_end_matches(']').parse().ok()?;
                at = at.as_array()?.elements.get(number)?;
            }
        }
        Some(at)
    }

    fn span(&self, range: &impl Ranged) -> Place {
        Place::span(self.file, self.text, range.start(), range.end())
    }

    /// The place of a path's value; of the whole file if there is none.
    pub(super) fn of_value(&self, path: &str) -> Place {
        self.value(path)
            .map_or_else(|| Place::whole(self.file), |value| self.span(value))
    }

    /// The place of a path's name.
    pub(super) fn of_name(&self, path: &str) -> Place {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let table = if parent.is_empty() {
            self.root()
        } else {
            self.value(parent)
        };
        let properties = table.and_then(Value::as_object).map(|object| &object.properties);
        properties
            .and_then(|list| list.iter().rfind(|property| property.name.as_str() == name))
            .map_or_else(|| Place::whole(self.file), |property| self.span(&property.name))
    }

    /// Names that a table gives more than once, with the place of all but the first.
    pub(super) fn repeated(&self) -> Vec<(String, Place)> {
        let mut found = Vec::new();
        if let Some(root) = self.root() {
            self.repeated_in(root, &mut found);
        }
        found
    }

    fn repeated_in(&self, value: &Value<'a>, found: &mut Vec<(String, Place)>) {
        match value {
            Value::Object(Object { properties, .. }) => {
                let mut seen = std::collections::BTreeSet::new();
                for property in properties {
                    if !seen.insert(property.name.as_str()) {
                        found.push((property.name.as_str().to_owned(), self.span(&property.name)));
                    }
                    self.repeated_in(&property.value, found);
                }
            }
            Value::Array(array) => {
                for element in &array.elements {
                    self.repeated_in(element, found);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": { \"b\": [1, { \"c\": \"ü\" }] },\n  \"ü\": 1, \"x\": 2,\n  \"x\": 3\n}";

    fn at(place: &Place) -> (usize, usize, usize) {
        (place.line.unwrap(), place.column.unwrap(), place.length)
    }

    #[test]
    fn keys_and_values_are_found_with_line_and_column_in_characters() {
        let places = Places::new("f", TEXT);
        assert_eq!(at(&places.of_value("a.b[1].c")), (2, 26, 3));
        assert_eq!(at(&places.of_name("a.b[1].c")), (2, 21, 3));
        assert_eq!(at(&places.of_name("x")), (4, 3, 3));
        assert_eq!(at(&places.of_value("x")), (4, 8, 1));
        assert_eq!(places.of_value("a.q").line, None);
        let repeated = places.repeated();
        assert_eq!((repeated.len(), at(&repeated[0].1)), (1, (4, 3, 3)));
    }
}
