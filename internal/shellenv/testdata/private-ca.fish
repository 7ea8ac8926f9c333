set -gx ASHORE_ENV_SAVED 'eyJBV1NfQUNDRVNTX0tFWV9JRCI6bnVsbCwiQVdTX0NBX0JVTkRMRSI6Ii9vbGQucGVtIiwiQVdTX0RFRkFVTFRfUFJPRklMRSI6bnVsbCwiQVdTX0RFRkFVTFRfUkVHSU9OIjpudWxsLCJBV1NfRU5EUE9JTlRfVVJMIjpudWxsLCJBV1NfRU5EUE9JTlRfVVJMX0VDUyI6Imh0dHA6Ly9lbHNld2hlcmUiLCJBV1NfUFJPRklMRSI6IndvcmsiLCJBV1NfUkVHSU9OIjpudWxsLCJBV1NfU0VDUkVUX0FDQ0VTU19LRVkiOm51bGwsIkFXU19TRUNVUklUWV9UT0tFTiI6bnVsbCwiQVdTX1NFU1NJT05fVE9LRU4iOm51bGwsIk5PX1BST1hZIjoibG9jYWxob3N0LCAuY29ycCIsIm5vX3Byb3h5IjpudWxsfQ'
set -gx AWS_ACCESS_KEY_ID 'AKIAEXAMPLE'
set -gx AWS_CA_BUNDLE '/etc/ashore/ca.pem'
set -gx AWS_DEFAULT_REGION 'us-east-1'
set -gx AWS_ENDPOINT_URL 'https://ashore.example:4700'
set -gx AWS_REGION 'us-east-1'
set -gx AWS_SECRET_ACCESS_KEY 'example/secret+key'
set -gx NO_PROXY 'localhost, .corp,ashore.example'
set -gx no_proxy 'localhost, .corp,ashore.example'
set -e AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_ENDPOINT_URL_ECS
# to run these: ashore env --shell fish | source

# --unset
set -gx AWS_CA_BUNDLE '/old.pem'
set -gx AWS_ENDPOINT_URL_ECS 'http://elsewhere'
set -gx AWS_PROFILE 'work'
set -gx NO_PROXY 'localhost, .corp'
set -e AWS_ACCESS_KEY_ID AWS_DEFAULT_PROFILE AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SECURITY_TOKEN AWS_SESSION_TOKEN no_proxy ASHORE_ENV_SAVED
# to run these: ashore env --unset --shell fish | source
