//! Names that were perhaps meant by ones with a slip of the finger.

/// How many letters a name may be wrong in, or too short or long, to be taken for another.
const NEAR: usize = 2;

/// The known name that is most like a name that is not known, whatever its case; `None` if none is like it.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(&name, known), known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= NEAR.min(name.len() / 2)).then_some(nearest)
}
