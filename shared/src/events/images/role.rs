//! What the words of a line say about the word after them.

/// What the words so far say about the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Unknown,
    /// It is a pulled image.
    Image,
    /// It is a pulled image if it has a tag or a digest.
    TaggedImage,
    /// It is the value of an option, and the image follows.
    OptionValue,
    /// It is an image that is built or pushed.
    Product,
}
