/// A summary of a data set that does not depend on its path: enough to notice that the data has changed.
public struct DataFingerprint: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable { case records, folder }

    /// A hash of one aspect of the data.
    public struct Part: Codable, Sendable, Equatable {
        /// Records or images that it covers.
        public var count: Int
        /// SHA-256 in hexadecimal digits.
        public var hash: String

        public init(count: Int, hash: String) {
            self.count = count
            self.hash = hash
        }
    }

    public var kind: Kind
    /// Records or images.
    public var count: Int
    /// Of the record file, or of all images together.
    public var bytes: Int
    /// Of records: `offsets`, `headers` and `samples`; of a folder: its classes by name.
    public var parts: [String: Part]

    public init(kind: Kind, count: Int, bytes: Int, parts: [String: Part]) {
        self.kind = kind
        self.count = count
        self.bytes = bytes
        self.parts = parts
    }

    /// Describes what has changed; nil if nothing has.
    public func difference(from earlier: DataFingerprint) -> String? {
        guard self != earlier else { return nil }
        guard kind == earlier.kind else {
            return "it was a \(earlier.noun), now it is a \(noun)"
        }
        let found = kind == .records ? recordDifferences(earlier) : classDifferences(earlier)
        let shown = found.prefix(3).joined(separator: ", ")
        return found.isEmpty ? "it is not the same" : found.count > 3 ? "\(shown), and more" : shown
    }

    private var noun: String { kind == .records ? "record file" : "folder of classes" }

    private func recordDifferences(_ earlier: DataFingerprint) -> [String] {
        if count != earlier.count { return ["it had \(earlier.count) records, now it has \(count)"] }
        if bytes != earlier.bytes { return ["it had \(earlier.bytes) bytes, now it has \(bytes)"] }
        let meanings = [
            ("offsets", "the sizes of the records have changed"), ("headers", "labels or ids have changed"),
            ("samples", "some images have changed"),
        ]
        return meanings.filter { parts[$0.0] != earlier.parts[$0.0] }.map(\.1)
    }

    private func classDifferences(_ earlier: DataFingerprint) -> [String] {
        Set(parts.keys).union(earlier.parts.keys).sorted().compactMap { name in
            switch (earlier.parts[name], parts[name]) {
            case (nil, _): return "class \(name) is new"
            case (_, nil): return "class \(name) is gone"
            case (let old?, let new?):
                if old.count != new.count {
                    return "class \(name) had \(old.count.counted("image")), now it has \(new.count)"
                }
                return old == new ? nil : "class \(name) has files with different names or sizes"
            }
        }
    }
}
