import AnnealCore
import Foundation
import Synchronization

/// An output for lines that people read.
public protocol TextOutput: AnyObject, Sendable {
    func write(_ text: String)
    /// The capabilities of this output, queried each time: a window may be resized.
    var style: TerminalStyle { get }
}

/// The capabilities of a terminal.
public struct TerminalStyle: Sendable, Equatable {
    /// Whether a line can be overwritten in place.
    public var isInteractive: Bool
    /// Columns.
    public var width: Int
    /// Lines; nil if unknown.
    public var height: Int?
    public var colour: Bool
    /// Whether it can show non-ASCII characters.
    public var unicode: Bool

    public init(isInteractive: Bool, width: Int, height: Int? = nil, colour: Bool, unicode: Bool) {
        self.isInteractive = isInteractive
        self.width = width
        self.height = height
        self.colour = colour
        self.unicode = unicode
    }

    /// Shows nothing.
    package static let none = TerminalStyle(isInteractive: false, width: 80, colour: false, unicode: false)

    /// From what the system knows about a stream and from the environment: `TERM`, `COLUMNS`, `NO_COLOR` and the
    /// locale.
    ///
    /// - Parameter columns: the window's width as reported by the terminal, which follows a resize; `COLUMNS` is a
    ///   shell's copy of it, exported only by users who want another width, and therefore wins.
    package static func resolve(
        isTerminal: Bool, columns: Int?, rows: Int? = nil, environment: [String: String]
    ) -> TerminalStyle {
        let width = environment["COLUMNS"].flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil } ?? columns ?? 80
        let interactive = isTerminal && environment["TERM"] != "dumb"
        let noColour = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let charset = locale.lowercased().replacingOccurrences(of: "-", with: "")
        return TerminalStyle(
            isInteractive: interactive, width: width, height: rows, colour: interactive && !noColour,
            unicode: charset.contains("utf8"))
    }
}

/// Standard output or standard error.
public final class StandardStream: TextOutput {
    public static let output = StandardStream(descriptor: 1)
    public static let error = StandardStream(descriptor: 2)

    private let descriptor: Int32
    private let environment = ProcessInfo.processInfo.environment

    /// The error of the first failed write.
    private let failure = Mutex<Int32?>(nil)

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// Writes directly, bypassing stdio's buffer, so that lines appear at once. A closed pipe, a full disk or a closed
    /// terminal must not end hours of training: `check` reports such a failure.
    public func write(_ text: String) {
        var text = text
        guard let code = text.withUTF8({ Files.write(UnsafeRawBufferPointer($0), to: descriptor) }) else { return }
        failure.withLock { $0 = $0 ?? code }
    }

    /// - Throws: `BrokenPipe` or `AnnealError` if some output could not be written.
    public func check() throws {
        guard let code = failure.withLock({ $0 }) else { return }
        if code == EPIPE { throw BrokenPipe() }
        let name = descriptor == STDOUT_FILENO ? "standard output" : "standard error"
        throw AnnealError(name, "cannot be written: \(String(cString: strerror(code)))")
    }

    /// Opens descriptors 0, 1 and 2 on /dev/null if the process was started without them. Otherwise the next file would
    /// get their number, and all printed output with it.
    public static func openClosed() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Where there is no /dev, a folder takes it.
            if open("/dev/null", O_RDWR) < 0 { _ = open("/", O_RDONLY) }
        }
    }

    public var style: TerminalStyle {
        var size = winsize()
        let known = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return .resolve(
            isTerminal: isatty(descriptor) == 1, columns: known ? Int(size.ws_col) : nil,
            rows: known && size.ws_row > 0 ? Int(size.ws_row) : nil, environment: environment)
    }
}
