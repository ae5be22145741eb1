import Foundation

extension Int {
    /// With a noun that is given in the singular: `1 epoch`, `2 classes`, `0 batches`.
    package func counted(_ noun: String) -> String {
        guard self != 1 else { return "1 \(noun)" }
        return "\(self) \(noun)\(noun.hasSuffix("s") || noun.hasSuffix("batch") ? "es" : "s")"
    }
}

extension Double {
    /// In four digits, for messages: `0.9333`, `0.05`, `1e-05`.
    package var brief: String {
        // Another number than the rounded one would have digits that nobody measured.
        guard isFinite, let rounded = Double(String(format: "%.4g", self)) else { return "\(self)" }
        return "\(rounded)"
    }
}
