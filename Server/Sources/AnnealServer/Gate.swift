import FlyingFox
import Foundation

/// Admits or rejects requests before anything else handles them: by their method, by their host header, and, if others
/// than this machine's users can reach the server, by a token.
public struct Gate: Sendable {
    /// Names of this server besides `localhost`; numeric addresses are always admitted.
    public var hosts: Set<String>
    /// The token that a request must carry; nil: none.
    public var token: String?
    public var methods: Set<String>

    public init(hosts: Set<String> = [], token: String? = nil, methods: Set<String> = ["GET"]) {
        self.hosts = hosts
        self.token = token
        self.methods = methods
    }

    static let cookie = "anneal_token"

    /// - Returns: the response to a rejected request; nil if it is admitted.
    func refusal(_ request: HTTPRequest) -> HTTPResponse? {
        guard methods.contains(request.method.rawValue) else {
            return .text(
                .methodNotAllowed, "only \(methods.sorted().joined(separator: " and "))",
                ["Allow": methods.sorted().joined(separator: ", ")])
        }
        // Another site's name may be made to resolve to this host (DNS rebinding); a numeric address cannot.
        guard let host = request.headers[HTTPHeader("Host")].map(Self.name),
            host == "localhost" || hosts.contains(host) || Self.isAddress(host)
        else {
            return .text(.forbidden, "this server has another name; --hosts names those that it answers to")
        }
        // A request from another site's page was not made by the user.
        if let site = request.headers[HTTPHeader("Sec-Fetch-Site")],
            !["none", "same-origin", "same-site"].contains(site),
            request.method != .GET
        {
            return .text(.forbidden, "asked by another site")
        }
        guard let token, !isKnown(request, token) else { return nil }
        return .text(
            .unauthorized,
            "this server asks for its token: open /?token=TOKEN once, or send Authorization: Bearer TOKEN")
    }

    /// The response to `/?token=…`: sets a cookie and redirects to the address without the token.
    func welcome(_ request: HTTPRequest) -> HTTPResponse? {
        guard let token, request.path == "/", let given = request.query["token"], Self.equal(given, token) else {
            return nil
        }
        return HTTPResponse(
            statusCode: .seeOther,
            headers: HTTPHeaders([
                .location: "/",
                HTTPHeader("Set-Cookie"): "\(Self.cookie)=\(token); HttpOnly; SameSite=Strict; Path=/",
            ]))
    }

    /// Whether it is an IPv4 address, or an IPv6 address in brackets.
    private static func isAddress(_ host: String) -> Bool {
        var v4 = in_addr(), v6 = in6_addr()
        if inet_pton(AF_INET, host, &v4) == 1 { return true }
        guard host.hasPrefix("["), host.hasSuffix("]") else { return false }
        return inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &v6) == 1
    }

    /// Without the port.
    private static func name(_ host: String) -> String {
        let host = host.lowercased()
        guard let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy(\.isNumber) else {
            return host
        }
        return String(host[..<colon])
    }

    private func isKnown(_ request: HTTPRequest, _ token: String) -> Bool {
        if let given = request.headers[.authorization], given.hasPrefix("Bearer "),
            Self.equal(String(given.dropFirst("Bearer ".count)), token)
        {
            return true
        }
        let cookies = (request.headers[HTTPHeader("Cookie")] ?? "").split(separator: ";").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        return cookies.contains {
            $0.hasPrefix("\(Self.cookie)=") && Self.equal(String($0.dropFirst(Self.cookie.count + 1)), token)
        }
    }

    /// In constant time, wherever they differ.
    static func equal(_ a: String, _ b: String) -> Bool {
        let a = Array(a.utf8), b = Array(b.utf8)
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// A new token: 32 random letters and digits.
    public static func newToken() -> String {
        let letters = Array("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789")
        var random = SystemRandomNumberGenerator()
        return String((0..<32).map { _ in letters.randomElement(using: &random) ?? "A" })
    }
}

extension HTTPRequest {
    /// Reads the rest of the body, which would otherwise be taken for the next request.
    func discardBody() async throws {
        for try await _ in bodySequence {}
    }
}

extension HTTPResponse {
    /// Headers of every response.
    private static let common: [(HTTPHeader, String)] = [
        (HTTPHeader("X-Content-Type-Options"), "nosniff"), (HTTPHeader("Referrer-Policy"), "no-referrer"),
        (HTTPHeader("Cache-Control"), "no-store"), (HTTPHeader("X-Frame-Options"), "DENY"),
        (HTTPHeader("Content-Security-Policy"), "frame-ancestors 'none'"),
    ]

    static func data(_ status: HTTPStatusCode, _ data: Data, type: String, _ headers: [String: String] = [:])
        -> HTTPResponse
    {
        var all = HTTPHeaders()
        for (name, value) in common { all[name] = value }
        all[.contentType] = type
        for (name, value) in headers { all[HTTPHeader(name)] = value }
        return HTTPResponse(statusCode: status, headers: all, body: data)
    }

    static func html(_ data: Data, _ status: HTTPStatusCode = .ok) -> HTTPResponse {
        .data(status, data, type: "text/html; charset=utf-8")
    }

    static func text(_ status: HTTPStatusCode, _ text: String, _ headers: [String: String] = [:]) -> HTTPResponse {
        .data(status, Data("\(text)\n".utf8), type: "text/plain; charset=utf-8", headers)
    }

    static func json(_ status: HTTPStatusCode, _ text: String, _ headers: [String: String] = [:]) -> HTTPResponse {
        .data(status, Data("\(text)\n".utf8), type: "application/json", headers)
    }
}
