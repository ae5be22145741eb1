import AnnealCore

/// A class's number, in the floating-point form that records and lists keep it in.
package enum ClassLabel {
    /// - Throws: `AnnealError` without a place unless there is one label, a whole number in 0 ..< classes.
    package static func check(_ labels: [Float], classes: Int) throws { try check(only(labels), classes: classes) }

    /// Whether so many labels that are no class's may have come from damage. Of more the data is of another kind than the
    /// network, or has more classes.
    static func areDamaged(_ wrong: Int, of looked: Int) -> Bool { wrong * 20 <= looked }

    /// - Throws: `AnnealError` without a place unless there is one label.
    static func only(_ labels: [Float]) throws -> Float {
        guard labels.count == 1 else {
            throw AnnealError(
                "", "it has \(labels.count) labels, but an image is of one class",
                suggestion: "was the data made for another task?", code: .mismatch)
        }
        return labels[0]
    }

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
