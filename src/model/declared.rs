//! Measures that a bucket declares in its info.json: what a value of that name has to be.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::{Code, Finding, Measure, Reader, ucum};

/// Measures that one bucket declares, at most.
const MOST: usize = 1000;

/// The longest name, in characters.
const LONGEST_NAME: usize = 256;

/// One entry of `measures`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredMeasure {
    /// `name`: the key in the bucket's JSON.
    pub name: String,
    /// `unit`, in UCUM.
    pub unit: String,
    /// `code`: what is measured.
    pub code: Option<Code>,
    /// `site`: where in the body.
    pub site: Option<Code>,
    /// `range`: the least and the largest plausible value.
    pub range: Option<(f64, f64)>,
}

impl DeclaredMeasure {
    /// Reads `measures` of an info.json: the entries that are right, and what is wrong with the others.
    #[must_use]
    pub fn read_all(info: &Map<String, Value>) -> (Vec<Self>, Vec<Finding>) {
        let findings = RefCell::default();
        let reader = Reader::new(info, &findings);
        let mut declared: Vec<Self> = Vec::new();
        for entry in reader.tables("measures") {
            let Some(measure) = Self::read(&entry) else {
                continue;
            };
            if declared.iter().any(|known| known.name == measure.name) {
                entry.find("name", format!("{:?}: is declared twice", measure.name));
            } else if declared.len() == MOST {
                entry.find("name", format!("at most {MOST} measures can be declared"));
            } else {
                declared.push(measure);
            }
        }
        (declared, findings.into_inner())
    }

    /// `None` where the entry declares nothing; its findings are kept.
    fn read(entry: &Reader<'_>) -> Option<Self> {
        let map = entry.map()?;
        for (key, how) in [
            ("name", "is missing: the key in the bucket's JSON"),
            ("unit", "is missing: a unit in UCUM, \"1\" for a number without"),
        ] {
            if !map.contains_key(key) {
                entry.find(key, how);
            }
        }
        let name = entry.text("name", parse_name);
        let unit = entry.text("unit", parse_unit);
        let (code, site) = (entry.table("code"), entry.table("site"));
        let (code_read, site_read) = (Code::read(&code), Code::read(&site));
        let range_read = entry.get("range", parse_range);
        entry.deny_unknown();
        // Half of what was declared would be something else.
        let whole = (
            map.contains_key("code"),
            map.contains_key("site"),
            map.contains_key("range"),
        ) == (code_read.is_some(), site_read.is_some(), range_read.is_some());
        let measure = Self {
            name: name?,
            unit: unit?,
            code: code_read,
            site: site_read,
            range: range_read,
        };
        whole.then_some(measure)
    }

    /// Holds a measure of this name against what was declared; gives it the unit if it came without.
    pub fn judge(&self, measure: &mut Measure) {
        let unit = measure.unit.get_or_insert_with(|| self.unit.clone());
        measure.declared = true;
        measure.problem = match measure.value.as_f64() {
            _ if *unit != self.unit => {
                // Whatever a bucket calls a unit, a problem is a sentence.
                let unit: String = unit.chars().filter(|c| !c.is_control()).take(32).collect();
                Some(format!("its unit is {unit}, declared is {}", self.unit))
            }
            None => Some("it is declared as a number, and is none".to_owned()),
            Some(value) => self
                .range
                .filter(|(low, high)| !(*low..=*high).contains(&value))
                .map(|(low, high)| format!("{value} is outside of its plausible range, {low} to {high}")),
        };
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > LONGEST_NAME {
        return Err(format!("1 to {LONGEST_NAME} characters"));
    }
    Ok(text.to_owned())
}

fn parse_unit(text: &str) -> Result<String, String> {
    match (ucum::is_unit(text), ucum::meant(text)) {
        (true, _) if text.len() <= 16 => Ok(text.to_owned()),
        (true, _) => Err("a unit longer than 16 characters does not fit into a report".to_owned()),
        (false, Some(unit)) => Err(format!("no unit of UCUM: did you mean \"{unit}\"?")),
        (false, None) => {
            Err("no unit of UCUM, such as \"mL\", \"mm2\", \"%\", \"1\" for a number without".to_owned())
        }
    }
}

fn parse_range(value: &Value) -> Result<(f64, f64), &'static str> {
    let numbers: Option<Vec<f64>> = value
        .as_array()
        .and_then(|list| list.iter().map(Value::as_f64).collect());
    match numbers.as_deref() {
        Some([low, high]) if low <= high => Ok((*low, *high)),
        Some([_, _]) => Err("the least plausible value comes first, [low, high]"),
        _ => Err("two numbers, [low, high]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(measures: &Value) -> (Vec<DeclaredMeasure>, Vec<String>) {
        let info = json!({ "measures": measures });
        let (declared, found) = DeclaredMeasure::read_all(info.as_object().unwrap());
        (declared, found.iter().map(ToString::to_string).collect())
    }

    fn measured(value: impl Into<Value>, unit: Option<&str>) -> Measure {
        Measure::new("measures.json", "measures.json", "brain", value.into(), unit)
    }

    #[test]
    fn every_wrong_entry_is_found_and_declares_nothing() {
        let (declared, found) = read(&json!([
            { "name": "brain", "unit": "mL", "range": [300, 2200],
              "code": { "value": "118565006", "scheme": "SCT", "meaning": "Volume" } },
            { "name": "brain", "unit": "mL" },
            { "name": "side" },
            { "name": "a", "unit": "cc" },
            { "name": "b", "unit": "mm", "range": [2, 1] },
            { "name": "c", "unit": "mm", "code": { "value": "1", "scheme": "SNOMED-CT", "meaning": "x" } },
            { "name": "d", "unit": "mm", "rnage": [1, 2] },
            { "name": "e", "unit": "mm", "code": { "value": "12345678901234567", "scheme": "SCT" } },
            7
        ]));
        assert_eq!(
            declared.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(),
            ["brain", "d"]
        );
        let all = found.join("\n");
        for expected in [
            "measures[1].name: \"brain\": is declared twice",
            "measures[2].unit: is missing",
            "measures[3].unit: \"cc\": no unit of UCUM: did you mean \"cm3\"?",
            "measures[4].range: the least plausible value comes first",
            "measures[5].code.scheme: \"SNOMED-CT\": no coding scheme of DICOM: did you mean \"SCT\"?",
            "measures[6].rnage: unknown key; allowed here: name, unit, code, site, range",
            "measures[7].code.meaning: is missing",
            "measures[7].code.value: \"12345678901234567\": 1 to 16 characters",
            "measures[8]: has to be a table",
        ] {
            assert!(all.contains(expected), "{expected} not in\n{all}");
        }
        assert_eq!(found.len(), 9, "{all}");
    }

    #[test]
    fn a_value_is_held_against_what_was_declared_and_kept_whatever_it_is() {
        let (declared, _) = read(&json!([{ "name": "brain", "unit": "mL", "range": [300, 2200] }]));
        for (value, unit, problem) in [
            (json!(1200.5), None, None),
            (json!(300), Some("mL"), None),
            (
                json!(2201),
                None,
                Some("outside of its plausible range, 300 to 2200"),
            ),
            (json!("1200"), None, Some("declared as a number")),
            (json!(true), None, Some("declared as a number")),
            (json!(1.2), Some("L"), Some("its unit is L, declared is mL")),
        ] {
            let mut measure = measured(value.clone(), unit);
            declared[0].judge(&mut measure);
            assert_eq!((&measure.value, measure.declared), (&value, true));
            assert_eq!(measure.unit.as_deref(), Some(unit.unwrap_or("mL")));
            match (problem, measure.problem.as_deref()) {
                (None, None) => {}
                (Some(part), Some(whole)) => assert!(whole.contains(part), "{whole}"),
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
