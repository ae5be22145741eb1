import Foundation

/// Texts in protocol 0 of Python's pickles, one line each.
enum PickleText {
    /// The bytes of a quoted string with escapes, as Python 2's `repr` writes it; nil if the line is not one.
    static func unquoted(_ line: Data) -> Data? {
        guard line.count >= 2, let quote = line.first, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\""),
            line.last == quote
        else { return nil }
        var found = Data(), rest = line.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                found.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): found.append(10)
            case UInt8(ascii: "r"): found.append(13)
            case UInt8(ascii: "t"): found.append(9)
            case UInt8(ascii: "x"):
                guard let value = hexadecimal(rest.prefix(2), digits: 2) else { return nil }
                found.append(UInt8(truncatingIfNeeded: value))
                rest = rest.dropFirst(2)
            case let other? where [UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(other):
                found.append(other)
            default: return nil
            }
        }
        return found
    }

    /// A text in Latin-1 with escapes: `\u` and four hexadecimal digits.
    static func unescaped(_ line: Data) -> String {
        var scalars = String.UnicodeScalarView(), rest = line[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "u"),
                let value = hexadecimal(rest.dropFirst().prefix(4), digits: 4), let scalar = Unicode.Scalar(value)
            {
                scalars.append(scalar)
                rest = rest.dropFirst(5)
            } else {
                scalars.append(Unicode.Scalar(byte))
            }
        }
        return String(scalars)
    }

    private static func hexadecimal(_ digits: Data, digits count: Int) -> UInt32? {
        digits.count == count ? UInt32(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }
}
