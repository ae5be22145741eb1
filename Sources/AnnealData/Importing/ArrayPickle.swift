import AnnealCore

/// Reads a Python pickle of plain values and NumPy arrays of bytes, as CIFAR's batches are, and runs none of it: of what a
/// pickle can name only NumPy's arrays are known, and they are read as data. Protocols 0, of lines of text, to 4.
struct ArrayPickle {
    /// The values of a list, which is filled after it has been put on the stack and into the memo.
    final class List {
        var values: [Value]
        init(_ values: [Value] = []) { self.values = values }
    }

    final class Dictionary {
        var pairs: [(key: Value, value: Value)] = []
    }

    indirect enum Value {
        case none
        case number(Int)
        /// Text, or Python 2's strings of bytes.
        case bytes([UInt8])
        case list(List)
        case tuple([Value])
        case dictionary(Dictionary)
        case global(String)
        /// Of unsigned bytes.
        case array(shape: [Int], bytes: [UInt8])
        case mark
    }

    private let bytes: [UInt8]
    private var at = 0
    private var stack: [Value] = []
    private var memo: [Int: Value] = [:]
    /// Of texts that stand for bytes. Each needs to be read once only: together they have no more than the pickle.
    private var encoded = 0
    /// Lists, tuples and dictionaries: images need a few.
    private var containers = 0

    /// - Throws: `AnnealError` without a place for what is no such pickle.
    static func read(_ bytes: [UInt8]) throws -> Value {
        var pickle = ArrayPickle(bytes: bytes)
        return try pickle.run()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func run() throws -> Value {
        while true {
            let code = try take(1)[0]
            switch code {
            case 0x80: _ = try take(1)
            case UInt8(ascii: "."): return try pop()
            case UInt8(ascii: "N"), 0x88, 0x89:
                stack.append(code == 0x88 ? .number(1) : code == 0x89 ? .number(0) : .none)
            case UInt8(ascii: "K"): stack.append(.number(try number(1)))
            case UInt8(ascii: "M"): stack.append(.number(try number(2)))
            case UInt8(ascii: "J"): stack.append(.number(Int(Int32(truncatingIfNeeded: try number(4)))))
            case 0x8A: stack.append(.number(try long(try number(1))))
            case UInt8(ascii: "I"), UInt8(ascii: "L"): stack.append(.number(try decimal()))
            case UInt8(ascii: "S"): stack.append(.bytes(try quoted()))
            case UInt8(ascii: "V"): stack.append(.bytes(Array(try line())))
            case UInt8(ascii: "U"), UInt8(ascii: "C"): stack.append(.bytes(try take(try number(1))))
            case UInt8(ascii: "T"), UInt8(ascii: "X"), UInt8(ascii: "B"): stack.append(.bytes(try take(try number(4))))
            case 0x8C: stack.append(.bytes(try take(try number(1))))
            case UInt8(ascii: "]"): try hold(.list(List()))
            case UInt8(ascii: "l"): try hold(.list(List(try popToMark())))
            case UInt8(ascii: "}"): try hold(.dictionary(Dictionary()))
            case UInt8(ascii: "d"):
                let items = try popToMark()
                try hold(.dictionary(Dictionary()))
                try set(items)
            case UInt8(ascii: ")"): try hold(.tuple([]))
            case UInt8(ascii: "("): stack.append(.mark)
            case UInt8(ascii: "q"): memo[try number(1)] = try top()
            case UInt8(ascii: "r"): memo[try number(4)] = try top()
            case UInt8(ascii: "p"): memo[try decimal()] = try top()
            case 0x94: memo[memo.count] = try top()
            case UInt8(ascii: "h"): try recall(try number(1))
            case UInt8(ascii: "j"): try recall(try number(4))
            case UInt8(ascii: "g"): try recall(try decimal())
            case 0x95: _ = try take(8)
            case 0x85, 0x86, 0x87: try tuple(Int(code) - 0x84)
            case UInt8(ascii: "t"): try hold(.tuple(try popToMark()))
            case UInt8(ascii: "a"):
                let value = try pop()
                try append([value])
            case UInt8(ascii: "e"):
                let values = try popToMark()
                try append(values)
            case UInt8(ascii: "s"):
                let value = try pop(), key = try pop()
                try set([key, value])
            case UInt8(ascii: "u"):
                let items = try popToMark()
                try set(items)
            case UInt8(ascii: "c"):
                let module = String(decoding: try line(), as: UTF8.self)
                stack.append(.global("\(module) \(String(decoding: try line(), as: UTF8.self))"))
            case 0x93:
                let name = try text(try pop()), module = try text(try pop())
                stack.append(.global("\(module) \(name)"))
            case UInt8(ascii: "R"): try call()
            case UInt8(ascii: "b"): try build()
            default: throw Self.refused("holds the instruction 0x\(String(code, radix: 16))")
            }
        }
    }

    // What is known ------------------------------------------------------------------------------------------------

    /// `_reconstruct(ndarray, (0,), b'b')` and `dtype('u1', …)`; `_codecs.encode(text, 'latin1')` of Python 3.
    private mutating func call() throws {
        guard case .tuple(let arguments) = try pop(), case .global(let name) = try pop() else {
            throw Self.refused("calls what is no function")
        }
        switch name {
        case "numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct":
            stack.append(.array(shape: [], bytes: []))
        case "numpy dtype":
            guard let first = arguments.first, try text(first) == "u1" else {
                throw Self.refused("holds an array of another type than unsigned bytes")
            }
            stack.append(.global("dtype u1"))
        case "_codecs encode":
            // Each scalar of the text is a byte.
            guard let first = arguments.first else { throw Self.refused("is damaged") }
            let scalars = try text(first).unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
            encoded += scalars.count
            guard encoded <= bytes.count else { throw Self.refused("is damaged") }
            stack.append(.bytes(scalars))
        default: throw Self.refused("calls \(name.replacing(" ", with: "."))")
        }
    }

    /// An array's state is (version, shape, type, column order, bytes).
    private mutating func build() throws {
        let state = try pop(), object = try pop()
        switch object {
        case .global("dtype u1"): stack.append(object)
        case .array:
            guard case .tuple(let parts) = state, parts.count == 5, case .tuple(let extents) = parts[1],
                case .bytes(let bytes) = parts[4], case .global("dtype u1") = parts[2]
            else { throw Self.refused("holds an array of another form") }
            let shape = try extents.map { extent in
                guard case .number(let count) = extent, count >= 0 else { throw Self.refused("is damaged") }
                return count
            }
            var count = 1
            for extent in shape {
                let (product, overflow) = count.multipliedReportingOverflow(by: extent)
                guard !overflow else { throw Self.refused("is damaged") }
                count = product
            }
            guard count == bytes.count else { throw Self.refused("has \(bytes.count) bytes for an array of \(shape)") }
            stack.append(.array(shape: shape, bytes: bytes))
        default: throw Self.refused("changes an object of another kind")
        }
    }

    // The stack ----------------------------------------------------------------------------------------------------

    /// Values in each other without end would end the process when they are freed.
    private mutating func hold(_ container: Value) throws {
        containers += 1
        guard containers <= 1000 else { throw Self.refused("holds too many lists") }
        stack.append(container)
    }

    private func append(_ values: [Value]) throws {
        guard case .list(let list) = try top() else { throw Self.refused("is damaged") }
        list.values += values
    }

    private func set(_ items: [Value]) throws {
        guard case .dictionary(let dictionary) = try top(), items.count % 2 == 0 else {
            throw Self.refused("is damaged")
        }
        for i in stride(from: 0, to: items.count, by: 2) { dictionary.pairs.append((items[i], items[i + 1])) }
    }

    private mutating func tuple(_ count: Int) throws {
        guard stack.count >= count else { throw Self.refused("is damaged") }
        let values = Array(stack.suffix(count))
        stack.removeLast(count)
        try hold(.tuple(values))
    }

    private mutating func popToMark() throws -> [Value] {
        guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else {
            throw Self.refused("is damaged")
        }
        let values = Array(stack[(mark + 1)...])
        stack.removeSubrange(mark...)
        return values
    }

    private mutating func pop() throws -> Value {
        guard let value = stack.popLast() else { throw Self.refused("is damaged") }
        return value
    }

    private func top() throws -> Value {
        guard let value = stack.last else { throw Self.refused("is damaged") }
        return value
    }

    private mutating func recall(_ number: Int) throws {
        guard let value = memo[number] else { throw Self.refused("is damaged") }
        stack.append(value)
    }

    // The bytes ----------------------------------------------------------------------------------------------------

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard count >= 0, count <= bytes.count - at else { throw Self.refused("is cut off") }
        defer { at += count }
        return Array(bytes[at..<(at + count)])
    }

    private mutating func number(_ size: Int) throws -> Int {
        try take(size).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// A little-endian number with a sign.
    private mutating func long(_ size: Int) throws -> Int {
        guard size <= 8 else { throw Self.refused("holds a number of \(size) bytes") }
        let digits = try take(size)
        let isNegative = (digits.last ?? 0) & 0x80 != 0
        return digits.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) }
    }

    /// Up to the end of the line, which is passed over.
    private mutating func line() throws -> ArraySlice<UInt8> {
        guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) else { throw Self.refused("is cut off") }
        defer { at = end + 1 }
        return bytes[at..<end]
    }

    /// A line with a number: `10`, `10L` of Python 2's long ones, `01` of a truth.
    private mutating func decimal() throws -> Int {
        let digits = String(decoding: try line(), as: UTF8.self)
        guard let number = Int(digits.hasSuffix("L") ? String(digits.dropLast()) : digits) else {
            throw Self.refused("is damaged")
        }
        return number
    }

    /// A line with a string of bytes as Python 2 writes it: in quotes, and with escapes.
    private mutating func quoted() throws -> [UInt8] {
        let line = try line(), quote = line.first
        guard line.count >= 2, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\""), line.last == quote else {
            throw Self.refused("is damaged")
        }
        var found: [UInt8] = [], rest = line.dropFirst().dropLast()
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
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else {
                    throw Self.refused("is damaged")
                }
                found.append(value)
                rest = rest.dropFirst(2)
            case let other? where other == byte || other == UInt8(ascii: "'") || other == UInt8(ascii: "\""):
                found.append(other)
            default: throw Self.refused("is damaged")
            }
        }
        return found
    }

    private func text(_ value: Value) throws -> String {
        guard case .bytes(let bytes) = value else { throw Self.refused("is damaged") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func refused(_ problem: String) -> AnnealError {
        AnnealError("", "\(problem): it is no pickle of images", code: .damaged)
    }
}

extension ArrayPickle.Value {
    /// The value of a key of a dictionary.
    subscript(_ name: String) -> Self? {
        guard case .dictionary(let dictionary) = self else { return nil }
        return dictionary.pairs.first { key, _ in
            if case .bytes(let bytes) = key { bytes.elementsEqual(name.utf8) } else { false }
        }?.value
    }

    var numbers: [Int]? {
        guard case .list(let list) = self else { return nil }
        let numbers = list.values.compactMap { if case .number(let number) = $0 { number } else { nil } }
        return numbers.count == list.values.count ? numbers : nil
    }

    var texts: [String]? {
        guard case .list(let list) = self else { return nil }
        let texts = list.values.compactMap { value -> String? in
            if case .bytes(let bytes) = value { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
        return texts.count == list.values.count ? texts : nil
    }
}

extension CIFARDataset {
    /// A batch of the version for Python: `data` of (images, 3072), and labels.
    static func readPickle(
        _ bytes: [UInt8], _ kind: Kind, _ place: String, _ labels: inout [UInt8], _ pixels: inout [UInt8]
    ) throws {
        let batch = try pickle(bytes, place)
        guard case .array(let shape, let data)? = batch["data"], shape.count == 2, shape[1] == 3 * area,
            let found = batch[kind.labelsKey]?.numbers, found.count == shape[0],
            found.allSatisfy({ (0..<kind.classes).contains($0) })
        else {
            throw AnnealError(place, "is not a batch of \(kind.rawValue)", code: .damaged)
        }
        labels += found.map { UInt8($0) }
        pixels += data
    }

    static func pickledNames(_ bytes: [UInt8], _ kind: Kind, _ place: String) throws -> [String] {
        try pickle(bytes, place)[kind.namesKey]?.texts ?? []
    }

    private static func pickle(_ bytes: [UInt8], _ place: String) throws -> ArrayPickle.Value {
        do {
            return try ArrayPickle.read(bytes)
        } catch let error as AnnealError {
            throw error.within(place)
        }
    }
}
