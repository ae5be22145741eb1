import Foundation

/// A file's path as the system stores it: bytes, which need not be UTF-8.
///
/// Two paths are equal if their bytes are; as strings, a composed and a decomposed é would be equal too.
public struct FilePath: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let bytes: [UInt8]

    public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// - Parameter cString: a path that ends in a zero byte.
    package init(cString: UnsafePointer<CChar>) {
        self.init(bytes: UnsafeRawBufferPointer(start: cString, count: strlen(cString)))
    }

    /// The name of a directory entry.
    package init(nameOf entry: UnsafeMutablePointer<dirent>) {
        self = withUnsafePointer(to: &entry.pointee.d_name) { name in
            name.withMemoryRebound(to: CChar.self, capacity: 1) { FilePath(cString: $0) }
        }
    }

    /// - Parameter text: a path in which bytes that are not UTF-8 are escaped as `text` does.
    public init(_ text: String) {
        // Only scalars that begin with F4 can be escaped bytes.
        guard text.utf8.contains(0xF4) else {
            bytes = Array(text.utf8)
            return
        }
        bytes = text.unicodeScalars.flatMap { scalar in
            Self.escapes.contains(scalar.value)
                ? [UInt8(scalar.value - Self.firstEscape)] : Array(UTF8.encode(scalar) ?? .init())
        }
    }

    /// The path as a string from which `FilePath(_:)` restores the same bytes, for arguments and records of runs: each
    /// byte that is not UTF-8 becomes a scalar of a private range. For people there is `description`.
    public var text: String {
        if !bytes.contains(0xF4), let text = String(validating: bytes, as: UTF8.self) { return text }
        var result = String.UnicodeScalarView()
        visit(
            { result.append($0) },
            invalid: { byte in
                if let scalar = Unicode.Scalar(Self.firstEscape + UInt32(byte)) { result.append(scalar) }
            })
        return String(result)
    }

    /// For people: bytes that are not UTF-8, and characters that a terminal would interpret, are escaped as `\xE9`.
    public var description: String {
        var result = String.UnicodeScalarView()
        visit(
            { scalar in
                if Self.isControl(scalar) {
                    for byte in String(scalar).utf8 { result.append(contentsOf: Self.escape(byte).unicodeScalars) }
                } else {
                    result.append(scalar)
                }
            }, invalid: { result.append(contentsOf: Self.escape($0).unicodeScalars) })
        return String(result)
    }

    /// As `description`, with every non-ASCII byte escaped, to tell apart names that look the same.
    public var asciiDescription: String {
        bytes.map { (0x20..<0x7F).contains($0) ? String(Unicode.Scalar($0)) : Self.escape($0) }.joined()
    }

    /// What comes after the last slash.
    public var name: FilePath {
        bytes.lastIndex(of: UInt8(ascii: "/")).map { FilePath(bytes: bytes[($0 + 1)...]) } ?? self
    }

    /// Whether it is `.` or `..`, which every folder contains.
    package var isDots: Bool { bytes == [UInt8(ascii: ".")] || bytes == [UInt8(ascii: "."), UInt8(ascii: ".")] }

    /// The path of an entry of this folder.
    public func appending(_ name: FilePath) -> FilePath {
        let slash = bytes.isEmpty || bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
        return FilePath(bytes: bytes + slash + name.bytes)
    }

    /// Calls `body` with the path for a system call. A path that contains a zero byte, which no file can have, is
    /// passed as an empty one.
    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        let whole = bytes.contains(0) ? [0] : bytes + [0]
        return try whole.withUnsafeBufferPointer { buffer in
            try buffer.withMemoryRebound(to: CChar.self) { characters in
                var none: CChar = 0
                return try characters.baseAddress.map(body) ?? body(&none)
            }
        }
    }

    public static func < (a: FilePath, b: FilePath) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// Byte b becomes the scalar `firstEscape` + b. The range is private; a path's own characters from it are escaped
    /// too.
    private static let firstEscape: UInt32 = 0x10FE00
    private static let escapes: Range<UInt32> = 0x10FE00..<0x10FF00

    /// The byte that a scalar of `text` encodes; nil for any other scalar.
    static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
        escapes.contains(scalar.value) ? UInt8(scalar.value - firstEscape) : nil
    }

    static func escape(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count < 2 ? "0" : "") + digits
    }

    /// Control characters, and characters that change the direction of text.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private func visit(_ valid: (Unicode.Scalar) -> Void, invalid: (UInt8) -> Void) {
        var parser = Unicode.UTF8.ForwardParser(), iterator = bytes.makeIterator(), index = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                if Self.escapes.contains(scalar.value) { encoded.forEach(invalid) } else { valid(scalar) }
                index += encoded.count
            case .error(let length):
                bytes[index..<(index + length)].forEach(invalid)
                index += length
            case .emptyInput: return
            }
        }
    }
}
