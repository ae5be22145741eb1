/// Names that a user may have meant.
public enum Spelling {
    /// The names that take the fewest insertions, deletions and replacements to become `name`, best first.
    public static func nearest(to name: String, among names: some Sequence<String>, count: Int = 3) -> [String] {
        names.map { (distance: distance(Array(name.utf8), Array($0.utf8)), name: $0) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(count).map(\.name)
    }

    /// Levenshtein's distance, a row of the table at a time.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
