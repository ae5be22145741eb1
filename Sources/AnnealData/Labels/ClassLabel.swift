import AnnealCore

/// A class's number, in the floating-point form that records and lists keep it in.
package enum ClassLabel {
    /// - Throws: `AnnealError` without a place unless `label` is a whole number in 0 ..< classes.
    package static func check(_ label: Float, classes: Int) throws {
        guard label.isFinite, label.rounded() == label else {
            throw AnnealError(
                "", "its label \(label) is not a whole number",
                suggestion: "a label is the number of a class, from 0; was it meant for another task?", code: .mismatch)
        }
        guard label >= 0, label < Float(classes) else {
            throw AnnealError(
                "", "its label \(label) is outside 0 ..< \(classes)", suggestion: "is the number of classes right?",
                code: .mismatch)
        }
    }
}
