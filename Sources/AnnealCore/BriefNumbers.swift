import Foundation

extension Int {
    /// The number with a noun, which is given in the singular: `1 epoch`, `2 classes`, `0 batches`.
    package func counted(_ noun: String) -> String {
        guard self != 1 else { return "1 \(noun)" }
        return "\(self) \(noun)\(noun.hasSuffix("s") || noun.hasSuffix("batch") ? "es" : "s")"
    }
}

extension Double {
    /// With four significant digits, for messages: `0.9333`, `0.05`, `1e-05`.
    package var brief: String {
        // Parsed back, so that the shortest text of the rounded number is printed.
        guard isFinite, let rounded = Double(String(format: "%.4g", self)) else { return "\(self)" }
        return "\(rounded)"
    }
}
