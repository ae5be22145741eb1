import Anneal

/// Columns of text, each as wide as its widest cell.
struct TextTable {
    private var rows: [[String]]
    private let right: Set<Int>

    /// - Parameter right: the columns that are right-aligned.
    init(_ header: [String], right: Set<Int> = []) {
        rows = [header]
        self.right = right
    }

    mutating func add(_ cells: [String]) { rows.append(cells.map { $0.printable() }) }

    /// With a rule below the header.
    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].columns }.max() ?? 0 }
        var lines = rows.map { row in
            let cells = row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - row[column].columns)
                return right.contains(column) ? space + row[column] : row[column] + space
            }
            return cells.joined(separator: "  ").trimmingTrailingSpaces
        }
        lines.insert(String(repeating: "-", count: widths.reduce(0, +) + 2 * (widths.count - 1)), at: 1)
        return lines.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
    }
}
