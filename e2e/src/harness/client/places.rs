//! Where a proxy and what is around it listen.

use anyhow::Result;

/// Where everything is.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Placeholder and value.
    pub values: Vec<(String, String)>,
}

impl Places {
    /// Puts the values in.
    pub fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name.as_str(), value))
    }

    /// The port of a listener.
    pub fn listener(&self, name: &str) -> Result<u16> {
        Ok(self.fill(&format!("{{listener:{name}}}")).parse()?)
    }
}
