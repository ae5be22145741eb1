import AnnealCore

/// A class number, stored as a float in records and lists.
package enum ClassLabel {
    /// - Throws: `AnnealError` without a place unless there is one label, a whole number in 0 ..< classes.
    package static func check(_ labels: [Float], classes: Int) throws { try check(only(labels), classes: classes) }

    /// Whether this number of invalid labels may be due to damage. If there are more, the data is not of the network's
    /// kind, or the network has fewer classes.
    static func areDamaged(_ wrong: Int, of looked: Int) -> Bool { wrong * 20 <= looked }

    /// - Throws: `AnnealError` without a place unless there is one label.
    static func only(_ labels: [Float]) throws -> Float {
        guard labels.count == 1 else {
            throw AnnealError(
                "", "it has \(labels.count) labels, but an image has one class",
                suggestion: "is the data meant for another task?", code: .mismatch)
        }
        return labels[0]
    }

    /// - Throws: `AnnealError` without a place unless `label` is a whole number in 0 ..< classes.
    package static func check(_ label: Float, classes: Int) throws {
        guard label.isFinite, label.rounded() == label else {
            throw AnnealError(
                "", "its label \(label) is not a whole number",
                suggestion: "labels are class numbers from 0; is the data meant for another task?", code: .mismatch)
        }
        guard label >= 0, label < Float(classes) else {
            throw AnnealError(
                "",
                "its label is \(Int(exactly: label).map(String.init) ?? "\(label)"), but there are "
                    + "\(classes.counted("class")), from 0 to \(classes - 1)",
                suggestion: "--num-classes, or the file of --class-names, says how many there are",
                code: .mismatch)
        }
    }
}
