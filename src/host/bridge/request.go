package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// text is a string in memory of C's, struct goloader_text.
type text struct {
	data *byte
	len  uintptr
}

func (t text) borrow() string { return unsafe.String(t.data, int(t.len)) }

// element is nginx's ngx_http_lua_ffi_table_elt_t: a header as the client sent it.
type element struct {
	keyLen   int32
	key      *byte
	valueLen int32
	value    *byte
}

// wire is struct goloader_exchange (lua/goloader/nginx/exchange.lua), by which both sides tell each other of a request.
// The first half is the server's, the second is Go's: addresses of what Go holds, which Lua only reads.
type wire struct {
	method, uri, target, proto text
	line                       text // the first one, as the client sent it
	remote, port               text
	local, localPort, tls      text
	body                       text // all of it, for Serve
	elements                   *element
	nelements                  int64
	hasBody                    int64 // it is here, be it empty

	status  int64
	data    uintptr // a piece of the body
	dataLen int64
	words   uintptr // the text of fields, and of the note after them
	fields  uintptr
	nfields int64
	note    int64 // offset in words of lines for the log
	noteLen int64
	length  int64 // how long the body will be, -1 where nobody knows
}

// head is what is kept of a request: its strings are parts of one copy.
type head struct {
	text   []byte
	fields []field // the header, with canonical keys
}

type field struct{ key, value string }

func (h *head) keep(data *byte, n int) string {
	if n <= 0 {
		return ""
	}
	at := len(h.text)
	h.text = append(h.text, unsafe.Slice(data, n)...) // never grows: see read
	return unsafe.String(&h.text[at], n)
}

func (h *head) keepText(t text) string { return h.keep(t.data, int(t.len)) }

// read makes a request of what lies in C's memory. It fails where net/http's own server would answer 400.
func (x *exchange) read(io *wire) (status int) {
	h := &x.head
	elements := unsafe.Slice(io.elements, int(io.nelements))
	absolute := absoluteTarget(io.line.borrow())
	size := int(io.method.len+io.uri.len+io.target.len+io.proto.len+io.remote.len+io.port.len+
		io.local.len+io.localPort.len) + len(absolute)
	for i := range elements {
		size += int(elements[i].keyLen) + int(elements[i].valueLen)
	}
	h.text = make([]byte, 0, size+2) // 2: an address and its port are joined
	r := x.request
	r.Method = commonMethod(io.method.borrow())
	if r.Method == "" {
		r.Method = h.keepText(io.method)
	}
	if absolute != "" {
		r.RequestURI = h.keep(unsafe.StringData(absolute), len(absolute))
	} else {
		r.RequestURI = h.keepText(io.uri)
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = protocol(io.proto.borrow())
	x.remoteAddr(io)
	x.context.local, x.context.localPort = h.keepText(io.local), h.keepText(io.localPort)

	header := make(http.Header, len(elements))
	values := make([]string, len(elements))
	h.fields = make([]field, 0, len(elements))
	r.ContentLength = 0
	for i := range elements {
		e := &elements[i]
		key := textproto.CanonicalMIMEHeaderKey(h.keep(e.key, int(e.keyLen)))
		value := textproto.TrimString(h.keep(e.value, int(e.valueLen)))
		if !isFieldValue(value) {
			status = http.StatusBadRequest
		}
		x.isConditional = x.isConditional || strings.HasPrefix(key, "If-")
		h.fields = append(h.fields, field{key, value})
		if key == "Host" {
			r.Host = value
			continue
		}
		if have, ok := header[key]; ok {
			header[key] = append(have, value)
			continue
		}
		values[i] = value
		header[key] = values[i : i+1 : i+1]
	}
	r.Header = header
	if failure := x.readLength(header); failure != 0 {
		status = failure
	}
	if failure := x.readTarget(h.keepText(io.target)); failure != 0 {
		status = failure
	}
	if io.tls.len > 0 {
		r.TLS = connectionState(io.tls.borrow())
	}
	return status
}

// readTarget reads the address that the client has asked for, or where there is one, the path and query that this has
// been changed to.
func (x *exchange) readTarget(changed string) (status int) {
	r := x.request
	first := r.RequestURI
	if changed != "" && strings.HasPrefix(first, "/") {
		first = changed
	}
	u, err := url.ParseRequestURI(first)
	if err == nil && changed != "" && u.Host != "" {
		var path *url.URL
		if path, err = url.ParseRequestURI(changed); err == nil {
			u.Path, u.RawPath, u.RawQuery, u.ForceQuery = path.Path, path.RawPath, path.RawQuery, path.ForceQuery
		}
	}
	if err != nil {
		r.URL = &url.URL{Path: "/"}
		return http.StatusBadRequest
	}
	r.URL = u
	if u.Host != "" { // it goes before the header's (RFC 9112, 3.2.2)
		r.Host = u.Host
	}
	return 0
}

// absoluteTarget is the address in a request's first line if it is one with a scheme and a host, as proxies are sent
// it: nginx tells the path of such a one.
func absoluteTarget(line string) string {
	_, target, _ := strings.Cut(line, " ")
	target = strings.TrimLeft(target, " ")
	if target == "" || target[0] == '/' {
		return ""
	}
	target, _, _ = strings.Cut(target, " ")
	if !strings.Contains(target, "://") {
		return ""
	}
	return target
}

// isFieldValue says whether net/http's server would take a header field with that value.
func isFieldValue(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// readLength does what net/http's readTransfer does: says how long the body is, and what of the header tells of it.
func (x *exchange) readLength(header http.Header) int {
	r := x.request
	if te := header["Transfer-Encoding"]; te != nil {
		r.TransferEncoding = []string{"chunked"}
		r.ContentLength = -1
		delete(header, "Transfer-Encoding")
		delete(header, "Content-Length")
	} else if lengths := header["Content-Length"]; lengths != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(lengths[0]), 10, 63)
		if err != nil {
			return http.StatusBadRequest
		}
		r.ContentLength = int64(n)
	} else if r.ProtoMajor >= 2 && r.Method != "GET" && r.Method != "HEAD" {
		r.ContentLength = -1 // there may be one: the frames tell, and they are read later
	}
	if trailer := header["Trailer"]; trailer != nil {
		delete(header, "Trailer")
	}
	if p := header["Pragma"]; len(p) > 0 && p[0] == "no-cache" && header["Cache-Control"] == nil {
		header["Cache-Control"] = []string{"no-cache"}
	}
	r.Close = says(header["Connection"], "close") ||
		r.ProtoMajor == 1 && r.ProtoMinor == 0 && !says(header["Connection"], "keep-alive")
	return 0
}

// says looks for a word in the lists that a header field's values are.
func says(values []string, word string) bool {
	for _, value := range values {
		for _, each := range strings.Split(value, ",") {
			if strings.EqualFold(textproto.TrimString(each), word) {
				return true
			}
		}
	}
	return false
}

func (x *exchange) remoteAddr(io *wire) {
	h := &x.head
	address, at := io.remote.borrow(), len(h.text)
	if strings.HasPrefix(address, "unix:") || address == "" {
		x.request.RemoteAddr = "@"
		return
	}
	if strings.IndexByte(address, ':') >= 0 {
		x.request.RemoteAddr = net.JoinHostPort(address, io.port.borrow())
		return
	}
	h.text = append(h.text, address...)
	h.text = append(h.text, ':')
	h.text = append(h.text, io.port.borrow()...)
	x.request.RemoteAddr = unsafe.String(&h.text[at], len(h.text)-at)
}

func commonMethod(method string) string {
	switch method {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	}
	return ""
}

func protocol(proto string) (string, int, int) {
	switch proto {
	case "HTTP/1.0":
		return "HTTP/1.0", 1, 0
	case "HTTP/2.0":
		return "HTTP/2.0", 2, 0
	case "HTTP/3.0":
		return "HTTP/3.0", 3, 0
	}
	return "HTTP/1.1", 1, 1
}

// ---- TLS --------------------------------------------------------------------------------------------------------

// states are those of connections that requests came by lately, by nginx's own words for them: as often as not several
// requests come by one, and certificates are not to be read each time.
var states = struct {
	sync.Mutex
	m map[string]*tls.ConnectionState
}{m: map[string]*tls.ConnectionState{}}

const maxStates = 256

var versions = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

// OpenSSL's names of what Go calls by IANA's; those of TLS 1.3 are the same.
var suites = map[string]uint16{
	"AES128-SHA": tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES256-SHA": tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"TLS_AES_128_GCM_SHA256":        tls.TLS_AES_128_GCM_SHA256,
	"TLS_AES_256_GCM_SHA384":        tls.TLS_AES_256_GCM_SHA384,
	"TLS_CHACHA20_POLY1305_SHA256":  tls.TLS_CHACHA20_POLY1305_SHA256,
}

// connectionState reads nginx's $ssl_protocol, _cipher, _server_name, _session_reused, _client_verify and
// _client_raw_cert, and the protocol that was agreed on; a zero byte is between them.
func connectionState(words string) *tls.ConnectionState {
	states.Lock()
	defer states.Unlock()
	if state, ok := states.m[words]; ok {
		return state
	}
	words = strings.Clone(words)
	parts := strings.SplitN(words, "\x00", 7)
	for len(parts) < 7 {
		parts = append(parts, "")
	}
	state := &tls.ConnectionState{
		Version: versions[parts[0]], CipherSuite: suites[parts[1]], ServerName: parts[2], HandshakeComplete: true,
		DidResume: parts[3] == "r", NegotiatedProtocol: parts[6],
	}
	if block, _ := pem.Decode([]byte(parts[5])); block != nil {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			state.PeerCertificates = []*x509.Certificate{certificate}
			if parts[4] == "SUCCESS" {
				state.VerifiedChains = [][]*x509.Certificate{{certificate}}
			}
		}
	}
	if len(states.m) >= maxStates {
		clear(states.m)
	}
	states.m[words] = state
	return state
}
