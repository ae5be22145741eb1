/// The parts of a terminal that progress needs: a cursor, carriage returns, and erasing what is below.
struct Screen {
    private var width: Int
    private var lines = [""]
    private var row = 0
    private var column = 0

    init(width: Int) { self.width = width }

    /// Without trailing empty lines.
    var rows: [String] { Array(lines[...(lines.lastIndex { !$0.isEmpty } ?? 0)]) }

    mutating func write(_ text: String) {
        var rest = text.unicodeScalars[...]
        while let letter = rest.popFirst() {
            switch letter {
            case "\r": column = 0
            case "\n":
                (row, column) = (row + 1, 0)
                if row == lines.count { lines.append("") }
            case "\u{1B}":
                control(&rest)
            default:
                precondition(column < width, "the line is wider than the screen")
                let line = lines[row]
                lines[row] = "\(line.prefix(column))\(letter)\(line.dropFirst(column + 1))"
                column += 1
            }
        }
    }

    /// Moves up, and erases to the end of the line or of the screen.
    private mutating func control(_ rest: inout Substring.UnicodeScalarView) {
        precondition(rest.popFirst() == "[", "unknown sequence")
        var digits = ""
        while let letter = rest.popFirst() {
            switch letter {
            case "A": row -= Int(digits) ?? 1
            case "J", "K":
                lines[row] = String(lines[row].prefix(column))
                if letter == "J" { lines.removeSubrange((row + 1)...) }
            default:
                digits.unicodeScalars.append(letter)
                continue
            }
            return
        }
    }

    /// - Parameter breaks: whether lines that are too long wrap to the next row; else they are cut.
    mutating func resize(to width: Int, breaks: Bool) {
        self.width = width
        var result: [String] = [], cursor = 0
        for (number, line) in lines.enumerated() {
            if number == row { cursor = result.count }
            result.append(String(line.prefix(width)))
            var rest = line.dropFirst(width)
            while breaks, !rest.isEmpty {
                result.append(String(rest.prefix(width)))
                rest = rest.dropFirst(width)
            }
        }
        lines = result
        row = cursor + (breaks ? column / width : 0)
        column = breaks ? column % width : min(column, width - 1)
    }
}
